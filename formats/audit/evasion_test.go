package audit

import (
	"bytes"
	"strings"
	"testing"

	"wfs/formats/pickle"
	"wfs/formats/segment"
)

// evasions are ways in which pickles have got past scanners (the advisories of
// picklescan and fickling name most of them), each written here by hand.
func evasions() map[string][]byte {
	text := func(s string) string { return "\x8c" + string(rune(len(s))) + s }
	stack := func(module, name string) string { return text(module) + text(name) + "\x93" }
	call := func(global, arg string) string { return global + text(arg) + "\x85R" }
	cases := map[string]string{
		"global":               "cos\nsystem\n(S'true'\ntR.",
		"python 2 module":      "c__builtin__\neval\n(S'1'\ntR.",
		"posix":                "cposix\nsystem\n(S'true'\ntR.",
		"inst":                 "(S'true'\nios\nsystem\n.",
		"obj":                  "(cos\nsystem\nS'true'\no.",
		"obj and pop":          "\x80\x04(cos\nsystem\nS'true'\no0N.",
		"stack global":         "\x80\x04" + call(stack("os", "system"), "true") + ".",
		"name from the memo":   "\x80\x04" + text("os") + "\x94" + "0" + text("system") + "\x94" + "0" + "h\x00h\x01\x93" + text("true") + "\x85R.",
		"decoy strings":        "\x80\x04" + text("os") + text("system") + text("collections") + "0" + text("OrderedDict") + "0\x93" + text("true") + "\x85R.",
		"global from the memo": "\x80\x02cos\nsystem\nq\x000Nh\x00(X\x04\x00\x00\x00truetR.",
		"newobj":               "\x80\x02csubprocess\nPopen\n(U\x04truet\x81.",
		"newobj_ex":            "\x80\x04" + stack("subprocess", "Popen") + text("true") + "\x85}\x92.",
		"dotted name":          "\x80\x04" + call(stack("torch", "serialization.os.system"), "true") + ".",
		"submodule":            "\x80\x04" + call(stack("multiprocessing.pool", "Pool"), "true") + ".",
		"stdlib that is rare":  "\x80\x04" + call(stack("_pyrepl.pager", "pipe_pager"), "true") + ".",
		"pip":                  "\x80\x04" + call(stack("pip", "main"), "install") + ".",
		"profiler":             "\x80\x04" + call(stack("cProfile", "run"), "1") + ".",
		"methodcaller":         "\x80\x04" + call(stack("operator", "methodcaller"), "system") + ".",
		"getattr":              "\x80\x04" + call(stack("builtins", "getattr"), "x") + ".",
		"torch's own":          "\x80\x04" + call(stack("torch.utils.collect_env", "run"), "true") + ".",
		"torch.load":           "\x80\x04" + call(stack("torch", "load"), "x.pt") + ".",
		"logging handler":      "\x80\x04" + call(stack("logging", "FileHandler"), "/tmp/x") + ".",
		"import through uuid":  "\x80\x04" + call(stack("uuid", "_get_command_stdout"), "id") + ".",
		"after a broken end":   "\x80\x04" + call(stack("os", "system"), "true") + "\xff",
		"after a second proto": "\x80\x02\x80\x04" + call(stack("os", "system"), "true") + ".",
		"across a frame":       "\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00" + call(stack("os", "system"), "true") + ".",
		"cut by a frame":       "\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00cxos\nsystem\n(S'true'\ntR.",
		"cut by a frame, inst": "\x80\x04(S'true'\n\x95\x02\x00\x00\x00\x00\x00\x00\x00ixos\nsystem\n.",
		"after a large value":  "\x80\x04" + strings.Repeat("]", 4_000_000) + call(stack("os", "system"), "true") + ".",
		"text cut by a frame":  "\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00\x8c\x02xos" + text("system") + "\x93" + text("true") + "\x85R.",
		"build on a module":    "\x80\x02cos\nenviron\n}X\x01\x00\x00\x00aX\x01\x00\x00\x00bsb.",
		"in a second pickle":   "\x80\x02N." + "\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.",
		"pickle in bytes":      "\x80\x03C\x22\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.........q\x00.",
	}
	out := map[string][]byte{}
	for name, s := range cases {
		// rune(len) above is below 128, so the length is one byte
		out[name] = []byte(s)
	}
	return out
}

// inspect reports on all pickles in b, which is known to be one.
func inspect(b []byte) []Stream {
	s := newScanner(int64(len(b)))
	s.lookInside(segment.Literal(b), "test", 0, asPickle)
	return s.streams
}

func TestEvasions(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	for name, b := range evasions() {
		streams := inspect(b)
		worst := Allowed
		called := false
		for _, s := range streams {
			worst = max(worst, s.Verdict)
			for _, g := range s.Globals {
				called = called || g.Verdict == Dangerous && g.Called
			}
		}
		var text bytes.Buffer
		writeText(&text, streams)
		if worst != Dangerous {
			t.Errorf("%s: %s\n%s", name, worst, text.String())
		}
		if !called {
			t.Errorf("%s: the dangerous global is not reported as called\n%s", name, text.String())
		}
	}
}

func TestJudge(t *testing.T) {
	for global, want := range map[string]Verdict{
		"collections.OrderedDict":                 Allowed,
		"torch._utils._rebuild_tensor_v2":         Allowed,
		"torch.FloatStorage":                      Allowed,
		"torch.cuda.HalfTensor":                   Allowed,
		"torch.float8_e4m3fn":                     Allowed,
		"numpy.core.multiarray._reconstruct":      Allowed,
		"__builtin__.set":                         Allowed,
		"copy_reg._reconstructor":                 Allowed,
		"torch.nn.modules.linear.Linear":          Unknown,
		"models.yolo.Model":                       Unknown,
		"builtins.print":                          Unknown,
		"builtins.eval":                           Dangerous,
		"__builtin__.file":                        Dangerous,
		"os.path.join":                            Dangerous,
		"nt.system":                               Dangerous,
		"importlib.import_module":                 Dangerous,
		"numpy.testing._private.utils.runstring":  Dangerous,
		"collections.OrderedDict.__reduce_ex__":   Dangerous,
		"functools.partial":                       Unknown,
		"webbrowser.open":                         Dangerous,
		"torch._dynamo.guards.GuardBuilder.get":   Dangerous,
		"torch.FloatStorage.from_file":            Unknown,
		"types.CodeType":                          Dangerous,
		"asyncio.unix_events._UnixSubprocess.run": Dangerous,
	} {
		at := strings.LastIndex(global, ".")
		if got, reason := Judge(global[:at], global[at+1:]); got != want {
			t.Errorf("%s: %s (%s), want %s", global, got, reason, want)
		}
	}
}

func TestReportNamesEverything(t *testing.T) {
	b := []byte("\x80\x02cmodels\nNet\n)\x81}X\x01\x00\x00\x00acos\nsystem\nsb.tail")
	streams := inspect(b)
	if len(streams) != 1 || len(streams[0].Globals) != 2 {
		t.Fatalf("streams: %+v", streams)
	}
	net, system := streams[0].Globals[0], streams[0].Globals[1]
	if net.Name != "Net" || net.Offset != 2 || !net.Called || net.Verdict != Unknown || net.Opcode != "GLOBAL" {
		t.Errorf("class: %+v", net)
	}
	if system.Offset != 23 || system.Called || system.Verdict != Dangerous {
		t.Errorf("named global: %+v", system)
	}
	if len(streams[0].Anomalies) != 1 || !strings.Contains(streams[0].Anomalies[0], "4 bytes follow") {
		t.Errorf("anomalies: %q", streams[0].Anomalies)
	}
}

func FuzzPickle(f *testing.F) {
	for _, b := range evasions() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		writeText(&out, inspect(b))
		if out.Len() == 0 && len(b) > 0 && pickle.LooksLikePickle(b) {
			t.Error("an empty report")
		}
		for _, c := range out.Bytes() {
			if c < ' ' && c != '\n' || c == 0x7f {
				t.Fatalf("the report holds the control character %#x", c)
			}
		}
	})
}
