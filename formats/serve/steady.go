package serve

import (
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// piece is how much is read of a source, verified and sent at once.
	piece = 256 << 10
	// patience is how long a client may take to accept a piece. A whole answer may take
	// as long as it does.
	patience = time.Minute
)

// copier has what all answers share.
type copier struct {
	patience time.Duration
	buffers  sync.Pool
}

func newCopier() *copier {
	return &copier{patience, sync.Pool{New: func() any { return new([piece]byte) }}}
}

// writer is an answer: it keeps count, and gives each piece its time.
type writer struct {
	http.ResponseWriter
	copier  *copier
	control *http.ResponseController
	status  int
	sent    int64
	failed  error // of the source, with the answer under way
}

func (c *copier) writer(w http.ResponseWriter) *writer {
	out := &writer{ResponseWriter: w, copier: c, control: http.NewResponseController(w)}
	out.wait()
	return out
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// wait gives the client its time. Where a connection knows no deadline there is none.
func (w *writer) wait() { w.control.SetWriteDeadline(time.Now().Add(w.copier.patience)) }

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.wait()
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom, by which net/http sends files.
func (w *writer) ReadFrom(src io.Reader) (total int64, err error) {
	buffer := w.copier.buffers.Get().(*[piece]byte)
	defer w.copier.buffers.Put(buffer)
	for {
		n, err := src.Read(buffer[:])
		if n > 0 {
			m, unsent := w.Write(buffer[:n])
			total += int64(m)
			if unsent != nil {
				return total, unsent
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return total, nil
		default:
			w.failed = err
			return total, err
		}
	}
}

// Limits of a server, beside those of each answer.
const (
	maxConnections = 128
	headerPatience = 10 * time.Second
	idlePatience   = 2 * time.Minute
	maxHeader      = 64 << 10
)

// NewServer makes a server of a handler that no client can keep busy by being slow: it has
// ten seconds for the header of a request, and a minute for each piece of an answer.
func NewServer(h *Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerPatience, IdleTimeout: idlePatience, MaxHeaderBytes: maxHeader,
		ErrorLog: errorLog(h.log),
	}
}

// Limit bounds the connections that a listener has open at once. Others wait.
func Limit(l net.Listener) net.Listener { return limit(l, maxConnections) }

func limit(l net.Listener, most int) net.Listener {
	return &limited{l, make(chan struct{}, most), make(chan struct{}), sync.Once{}}
}

type limited struct {
	net.Listener
	open   chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &counted{Conn: conn, done: sync.OnceFunc(func() { <-l.open })}, nil
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	done func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.done()
	return c.Conn.Close()
}
