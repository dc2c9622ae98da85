package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"wfs/formats"
	"wfs/formats/serve"
	"wfs/formats/tree"
)

// ServeOptions are the flags of wfs serve.
type ServeOptions struct {
	ViewOptions
	Listen         string
	Layout         string
	TokenFile      string
	AllowAnonymous bool
	RefuseUnsafe   bool
	Quiet          bool
}

// AddFlags registers the flags. What is set already is their default.
func (o *ServeOptions) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Listen, "listen", o.Listen, "`address` and port; port 0 is any that is free")
	o.ViewOptions.AddFlags(flags)
	flags.StringVar(&o.Layout, "layout", o.Layout, "what is below /NAME/: full, hf (the root only) or tensors (single tensors only)")
	flags.StringVar(&o.TokenFile, "token-file", o.TokenFile, "`file` with the token that clients must present (Authorization: Bearer, HF_TOKEN)")
	flags.BoolVar(&o.AllowAnonymous, "allow-anonymous", o.AllowAnonymous, "let everybody read who can reach an address that is not loopback")
	flags.BoolVar(&o.RefuseUnsafe, "refuse-unsafe", o.RefuseUnsafe, "refuse files whose pickles name what wfs scan calls dangerous")
	flags.BoolVarP(&o.Quiet, "quiet", "q", o.Quiet, "log what fails, and not each request")
}

// Validate checks the command line and touches nothing.
func (o *ServeOptions) Validate(args []string) error {
	if len(args) == 0 {
		return usagef("serve takes a SOURCE")
	}
	if err := checkLayout(o.Layout); err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return usagef("--listen is an address and a port, as in 127.0.0.1:8000, not %q", o.Listen)
	}
	return o.ViewOptions.Validate()
}

func newServe(a *app) *cobra.Command {
	opt := &ServeOptions{Listen: "127.0.0.1:8000", Layout: tree.Full}
	cmd := &cobra.Command{
		Use:        "serve [flags] SOURCE...",
		SuggestFor: []string{"http", "web", "server", "httpd", "hub", "listen"},
		Short:      "show sources over HTTP, and as a Hub for HF_ENDPOINT",
		Long: `
Shows what a mount of each SOURCE would show, below the SOURCE's base name, with ranges and
ETags, and the root of it (layout hf) as the repository local/NAME of a Hugging Face Hub. A
container without FUSE loads the view of a .bin or .pt so, through the usual libraries.
The name of a directory of the Hub's cache is that of its repository, without the owner.

Only this machine is let in, and requests that are addressed to another name are refused. An
address that is not loopback needs --token-file, a file that only its owner can read, or
--allow-anonymous. There is no TLS: across a network, put a proxy or ssh -L before it.

It runs until SIGTERM or SIGINT: then it takes no more connections and ends with the last
answer under way, or with a second signal. Where a source is changed, answers are cut and
further requests get status 409. Requests are logged to stderr.`,
		Example: `
  wfs serve ~/models/bert &
  curl http://127.0.0.1:8000/bert/meta/tensors.tsv
  export HF_ENDPOINT=http://127.0.0.1:8000
  python -c 'from transformers import AutoModel; AutoModel.from_pretrained("local/bert")'

  wfs serve --listen 0.0.0.0:8000 --token-file token model.pt   # clients set HF_TOKEN`,
		Annotations: exitCodes("0 ended by a signal, 1 failure, 2 wrong usage"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		Args: func(_ *cobra.Command, args []string) error { return opt.Validate(args) },
		RunE: func(_ *cobra.Command, args []string) error { return a.serveHTTP(opt, args) },
	}
	opt.AddFlags(cmd.Flags())
	opt.completeFlags(cmd)
	completeFlag(cmd, "layout", cobra.FixedCompletions(layouts, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "listen", cobra.NoFileCompletions)
	return cmd
}

// serveHTTP serves until a signal.
func (a *app) serveHTTP(opt *ServeOptions, sources []string) error {
	address, err := opt.address()
	if err != nil {
		return err
	}
	token, err := opt.token()
	if err != nil {
		return err
	}
	if err := checkNames(sources); err != nil {
		return err
	}
	// Before sources are opened, which can take a while.
	listener, err := net.ListenTCP("tcp", address)
	if err != nil {
		return listenError(address, err)
	}
	defer listener.Close()
	level := slog.LevelInfo
	if opt.Quiet {
		level = slog.LevelWarn
	}
	options := serve.Options{Token: token, Local: address.IP.IsLoopback(), Log: slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))}
	var sites []serve.Site
	for _, source := range sources {
		site, close, err := a.site(opt, source)
		if err != nil {
			return err
		}
		defer close()
		sites = append(sites, site)
	}
	handler, err := serve.New(sites, options)
	if err != nil {
		return err
	}
	collectTight()
	signals := endings()
	at := "http://" + listener.Addr().String()
	for _, site := range sites {
		fmt.Fprintf(a.stdout, "serving %s at %s/%s/", oneLine(site.Plan.Model.Path), at, site.Name)
		if serve.IsRepositoryName(site.Name) {
			fmt.Fprintf(a.stdout, ", and as local/%s with HF_ENDPOINT=%s\n", site.Name, at)
		} else {
			fmt.Fprintf(a.stdout, "; no client of the Hub takes that name for a repository's\n")
		}
	}
	if err := a.stdout.Flush(); err != nil {
		return err
	}
	return drain(serve.NewServer(handler), serve.Limit(listener), signals, options.Log)
}

// drain serves until the first signal, and then what is under way, until a second one.
func drain(server *http.Server, listener net.Listener, signals <-chan os.Signal, log *slog.Logger) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case s := <-signals:
		log.Info("ending with the answers under way; a second signal cuts them", "signal", s.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-signals
		cancel()
	}()
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("answers under way were cut by a second signal")
		server.Close()
	}
	return nil
}

// site opens a source.
func (a *app) site(opt *ServeOptions, source string) (site serve.Site, close func() error, err error) {
	plan, err := opt.open(source)
	if err != nil {
		return site, nil, err
	}
	defer func() {
		if err != nil {
			plan.Close()
		}
	}()
	if opt.RefuseUnsafe {
		if err := refuseUnsafe(plan.Opened()); err != nil {
			return site, nil, err
		}
	}
	site = serve.Site{Name: siteName(source), Plan: plan, Variant: fmt.Sprintf("wfs %s %s", version, opt.identity())}
	if site.Tree, err = tree.Build(plan, tree.Options{Layout: opt.Layout}); err != nil {
		return site, nil, err
	}
	if site.Repository, err = tree.Build(plan, tree.Options{Layout: tree.HF}); err != nil {
		return site, nil, err
	}
	a.printNotes(append(plan.Notes(), site.Tree.Notes...))
	return site, plan.Close, nil
}

// checkNames refuses sources that cannot all be served under their names.
func checkNames(sources []string) error {
	seen := map[string]string{}
	for _, source := range sources {
		name := siteName(source)
		switch other, taken := seen[name]; {
		case taken:
			return fmt.Errorf("%s and %s have the same name: serve one of them by a link that has another", other, source)
		case serve.Reserved(name):
			return fmt.Errorf("%s: a source cannot be served under the name %s: serve a link that has another", source, name)
		}
		seen[name] = source
	}
	return nil
}

// siteName is the base name of a source; of a directory of the Hub's cache
// (models--org--name, or a snapshot in it) the name of the repository.
func siteName(source string) string {
	path := filepath.ToSlash(absolutePath(source))
	if formats.IsRemote(source) {
		path = strings.TrimSuffix(strings.TrimSuffix(formats.Shown(source), "?…"), "/")
		path, _, _ = strings.Cut(path, "@") // a revision
	}
	parts := strings.Split(path, "/")
	last := len(parts) - 1
	if last > 1 && parts[last-1] == "snapshots" {
		last -= 2
	}
	if name := strings.Split(parts[last], "--"); len(name) > 1 && name[0] == "models" {
		return name[len(name)-1]
	}
	return parts[len(parts)-1]
}

// address is where to listen. No host is the loopback address: to listen on all is
// something to say.
func (o *ServeOptions) address() (*net.TCPAddr, error) {
	listen := o.Listen
	if strings.HasPrefix(listen, ":") {
		listen = "127.0.0.1" + listen
	}
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", o.Listen, err)
	}
	if !address.IP.IsLoopback() && o.TokenFile == "" && !o.AllowAnonymous {
		return nil, usagef("%s can be reached from other machines: give --token-file, or --allow-anonymous", o.Listen)
	}
	return address, nil
}

func listenError(address *net.TCPAddr, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: another program listens there: choose another port by --listen, or 0 for a free one", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: this user may not listen there: choose a port above 1023 by --listen", address)
	}
	return fmt.Errorf("%s: %w", address, errors.Unwrap(err))
}
