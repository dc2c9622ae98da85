package audit

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// call is a pickle that would call something, in a few bytes of protocol 0 and 1.
const call = "cos\ngetcwd\n)R."

func sized(op string, width int, s string) string {
	return op + string(binary.LittleEndian.AppendUint64(nil, uint64(len(s)))[:width]) + s
}

// latin1 is bytes as the text that protocols before 3 write in their place.
func latin1(s string) string {
	var text strings.Builder
	for i := range len(s) {
		text.WriteRune(rune(s[i]))
	}
	return sized("X", 4, text.String())
}

// unicodeLine is bytes as the argument of UNICODE, quotedLine as that of STRING.
func unicodeLine(s string) string {
	var line strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&line, `\u%04x`, s[i])
	}
	return "V" + line.String() + "\n"
}

func quotedLine(s string) string {
	var line strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&line, `\x%02x`, s[i])
	}
	return "S'" + line.String() + "'\n"
}

// holders put bytes into a pickle in every way that there is.
var holders = map[string]func(s string) string{
	"SHORT_BINBYTES": func(s string) string { return "\x80\x03" + sized("C", 1, s[:min(len(s), 255)]) + "." },
	"BINBYTES":       func(s string) string { return "\x80\x03" + sized("B", 4, s) + "." },
	"BINBYTES8":      func(s string) string { return "\x80\x04" + sized("\x8e", 8, s) + "." },
	"BYTEARRAY8":     func(s string) string { return "\x80\x05" + sized("\x96", 8, s) + "." },
	"BINSTRING":      func(s string) string { return "\x80\x02" + sized("T", 4, s) + "." },
	"STRING":         func(s string) string { return quotedLine(s) + "." },
	"UNICODE":        func(s string) string { return unicodeLine(s) + "." },
	"UNICODE, long":  func(s string) string { return unicodeLine(s+strings.Repeat("\x00", 1<<18)) + "." },
	"STRING, long":   func(s string) string { return quotedLine(s+strings.Repeat("\x00", 1<<18+1<<10)) + "." },
	"encoded": func(s string) string {
		return "\x80\x02c_codecs\nencode\n" + latin1(s) + sized("X", 4, "latin1") + "\x86R."
	},
	"bytearray": func(s string) string {
		return "\x80\x02c__builtin__\nbytearray\n" + latin1(s) + sized("X", 4, "latin-1") + "\x86R."
	},
	"text, long": func(s string) string { return "\x80\x02" + latin1(s+strings.Repeat("\x80", 1<<16)) + "." },
	"base64 in text": func(s string) string {
		return "\x80\x02" + sized("X", 4, base64.StdEncoding.EncodeToString([]byte(s))) + "."
	},
	"base64 in bytes": func(s string) string {
		return "\x80\x03" + sized("B", 4, base64.StdEncoding.EncodeToString([]byte(s))) + "."
	},
	"thrown away": func(s string) string { return "\x80\x03" + sized("B", 4, s) + "0N." },
	"in a key":    func(s string) string { return "\x80\x03}" + sized("B", 4, s) + "Ns." },
	"long bytes":  func(s string) string { return "\x80\x03" + sized("B", 4, s+strings.Repeat("\x00", 1<<16)) + "." },
}

func archived(t testing.TB, name, data string, method uint16) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte(data))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarred(t testing.TB, name, data string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(data))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type writeCloser interface {
	Write(p []byte) (int, error)
	Close() error
}

func compressedBy(t testing.TB, name, data string) string {
	t.Helper()
	var b bytes.Buffer
	var w writeCloser
	var err error
	switch name {
	case "zlib":
		w = zlib.NewWriter(&b)
	case "gzip":
		w = gzip.NewWriter(&b)
	case "xz":
		w, err = xz.NewWriter(&b)
	case "lzma":
		w, err = lzma.NewWriter(&b)
	case "lz4":
		w = lz4.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "bzip2": // the standard library has no writer; this is call, as bzip2 writes it
		return "BZh91AY&SY\x8f\xd1m\x0e\x00\x00\x02\xd3\x80\x00\x10\x00!\x10\x00\x0e\x80\x8c\x80 \x00\"\x01\xa0h@\xd04\x06\xb8\x91\xc7\xabI\x7f\x17rE8P\x90\x8f\xd1m\x0e"
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(data))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hidden are files of pickles and streams that hold call.
func hidden(t testing.TB) map[string]string {
	files := map[string]string{
		"protocol 0":      call,
		"protocol 2":      "\x80\x02" + call,
		"after a value":   "N0" + call,
		"second pickle":   "I5\n." + call,
		"zip":             archived(t, "a/data.pkl", "\x80\x02"+call, zip.Store),
		"deflated zip":    archived(t, "a/whatever", "N0"+call, zip.Deflate),
		"zip with a head": "#!/bin/sh\n" + archived(t, "a/data.pkl", call, zip.Store),
		"two zips":        archived(t, "a/data.pkl", "\x80\x02N.", zip.Store) + archived(t, "a/data.pkl", call, zip.Store),
		"tar":             tarred(t, "member", "N0"+call),
		"tar that runs":   tarred(t, "N0"+call, ""),
		"npy of objects":  "\x93NUMPY\x01\x00\x46\x00" + fmt.Sprintf("%-69s\n", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + call,
		"npy with fields": "\x93NUMPY\x01\x00\x6e\x00" + fmt.Sprintf("%-109s\n", "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }") + call,
	}
	for _, c := range []string{"zlib", "gzip", "xz", "lzma", "lz4", "zstd", "bzip2"} {
		files[c] = compressedBy(t, c, call)
	}
	return files
}

// TestHidden puts every kind of pickle, archive and stream into every kind of bytes and
// text, of every protocol, and into the containers: the call inside is found.
func TestHidden(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	check := func(name, file string) {
		t.Helper()
		report, err := scanBytes([]byte(file))
		if err != nil || report.Verdict != Dangerous {
			t.Errorf("%s: %v\n%s", name, err, report.Text())
		}
	}
	for what, file := range hidden(t) {
		check(what, file)
		for how, hold := range holders {
			padded := strings.Contains(how, "long")
			if how == "SHORT_BINBYTES" && len(file) > 255 || padded && what != "protocol 0" && what != "zlib" && what != "tar" ||
				strings.Contains(how, "base64") && (what == "second pickle" || what == "zip with a head") {
				continue // it is not in those bytes
			}
			check(what+" in "+how, hold(file))
		}
		check(what+" in a zip", archived(t, "a/extra/state", file, zip.Deflate))
		check(what+" in a tar", tarred(t, "state", file))
		check(what+" after a tar", tarred(t, "state", "N.")+strings.Repeat("\x00", 9<<10)+file)
		check(what+" in gzip", compressedBy(t, "gzip", file))
	}
}

// TestLoadingFunctions has torch.storage._load_from_bytes, which unpickles, given bytes
// that are in the pickle, in ways that honest files have, and others.
func TestLoadingFunctions(t *testing.T) {
	const load, rebuild, array = "ctorch.storage\n_load_from_bytes\n", "ctorch._tensor\n_rebuild_from_type_v2\n", "cbuiltins\nbytearray\n"
	numbers := func(s string) string {
		list := "]("
		for i := range len(s) {
			list += "K" + s[i:i+1]
		}
		return list + "e"
	}
	inner := "\x80\x02}q\x00X\x01\x00\x00\x00aK\x01s."
	for name, c := range map[string]struct {
		pickle string
		want   Verdict
	}{
		"literal":                {load + sized("B", 4, inner) + "\x85R.", Allowed},
		"literal, hostile":       {load + sized("B", 4, call) + "\x85R.", Dangerous},
		"encoded":                {load + "c_codecs\nencode\n" + latin1(inner) + sized("X", 4, "latin1") + "\x86R\x85R.", Allowed},
		"list of numbers":        {load + array + numbers(inner) + "\x85R\x85R.", Allowed},
		"list of bad numbers":    {load + array + numbers("N0"+call) + "\x85R\x85R.", Dangerous},
		"arguments by a call":    {load + "cbuiltins\ntuple\n](" + sized("B", 4, inner) + "e\x85RR.", Dangerous},
		"twice a bytearray":      {load + array + array + sized("B", 4, "N0"+call) + "\x85R\x85R\x85R.", Dangerous},
		"appended":               {load + array + ")R(" + numbers(inner)[2:] + "\x85R.", Dangerous},
		"changed":                {load + sized("\x96", 8, inner) + "(K\x01e\x85R.", Dangerous},
		"not called":             {"}X\x01\x00\x00\x00a" + load + "s.", Dangerous},
		"called by a partial":    {"cfunctools\npartial\n" + load + sized("B", 4, call) + "\x86R)R.", Dangerous},
		"rebuilt from type":      {rebuild + "(" + load + "ctorch\nTensor\n" + sized("B", 4, inner) + "\x85}tR.", Allowed},
		"rebuilt, hostile":       {rebuild + "(" + load + "ctorch\nTensor\n" + sized("B", 4, "N0"+call) + "\x85}tR.", Dangerous},
		"rebuilt by a result":    {rebuild + "(cbuiltins\ngetattr\ncmodels\nNet\nX\x01\x00\x00\x00f\x86Rctorch\nTensor\n)}tR.", Dangerous},
		"rebuilt by a call":      {rebuild + "(cos\ngetcwd\nctorch\nTensor\n)}tR.", Dangerous},
		"rebuilding, as a value": {"}X\x01\x00\x00\x00a" + rebuild + "s.", Dangerous},
	} {
		report, err := scanBytes([]byte("\x80\x02" + c.pickle))
		if err != nil || report.Verdict != c.want {
			t.Errorf("%s: %v, want %s\n%s", name, err, c.want, report.Text())
		}
	}
}

// TestIndirection judges getattr, partial and type by what they are given.
func TestIndirection(t *testing.T) {
	text := func(s string) string { return sized("X", 4, s) }
	getattr := func(of, name string) string { return "cbuiltins\ngetattr\n" + of + text(name) + "\x86R" }
	path := "cpathlib\nPosixPath\n" + text("/tmp/x") + "\x85R"
	for name, c := range map[string]struct {
		pickle string
		want   Verdict
	}{
		"method of an object":     {getattr("cmodels\nNet\n)\x81", "forward"), Unknown},
		"enum":                    {getattr("cmodels\nColor\n", "RED"), Unknown},
		"getattr as a value":      {"cbuiltins\ngetattr\n", Dangerous},
		"computed name":           {"cbuiltins\ngetattr\ncmodels\nNet\ncbuiltins\nstr\n" + text("x") + "\x85R\x86R", Dangerous},
		"dunder":                  {getattr("cmodels\nNet\n", "__globals__"), Dangerous},
		"module of a module":      {getattr("ctorch\nserialization\n", "os"), Dangerous},
		"two steps":               {getattr(getattr("ctorch\nserialization\n", "os"), "system"), Dangerous},
		"method of a path":        {getattr(path, "write_text"), Dangerous},
		"called method":           {getattr("cmodels\nNet\n)\x81", "run") + ")R", Dangerous},
		"called classmethod":      {getattr("cmodels\nNet\n", "make") + ")R", Unknown},
		"partial":                 {"cfunctools\npartial\nctorch.nn.modules.normalization\nLayerNorm\n\x85R", Unknown},
		"partial of a method":     {"cfunctools\npartial\n" + getattr(path, "write_text") + "\x85R", Dangerous},
		"partial of a call":       {"cfunctools\npartial\ncoperator\nmethodcaller\n" + text("x") + "\x85R\x85R", Dangerous},
		"partial of getcwd":       {"cfunctools\npartial\ncos\ngetcwd\n\x85R", Dangerous},
		"result is called":        {"cmodels\nfactory\n)R)R", Dangerous},
		"type of a value":         {"cbuiltins\ntype\nN\x85R", Unknown},
		"type as a value":         {"cbuiltins\ntype\n", Unknown},
		"class is made":           {"cbuiltins\ntype\n(" + text("A") + ")}tR", Dangerous},
		"computed global":         {"cbuiltins\nstr\n" + text("os") + "\x85R" + text("getcwd") + "\x93", Dangerous},
		"extension":               {"\x82\x05)R", Unknown},
		"logger":                  {"clogging\ngetLogger\n" + text("train") + "\x85R", Unknown},
		"handler that opens":      {"clogging\nFileHandler\n" + text("x") + "\x85R", Dangerous},
		"user's test":             {"ctest\nNet\n)\x81", Unknown},
		"user's profile":          {"cprofile\nNet\n)\x81", Unknown},
		"profiler":                {"cprofile\nrun\n" + text("1") + "\x85R", Dangerous},
		"test of Python":          {"ctest.support.script_helper\nassert_python_ok\n)R", Dangerous},
		"uuid":                    {"cuuid\nUUID\n)\x81", Allowed},
		"requests to the network": {"crequests.sessions\nSession.get\n)R", Dangerous},
	} {
		report, err := scanBytes([]byte("\x80\x02" + c.pickle + "."))
		if err != nil || report.Verdict != c.want {
			t.Errorf("%s: %v, want %s\n%s", name, err, c.want, report.Text())
		}
	}
}

// TestLimits has pickles without a PROTO that hold what Python reads and a smaller machine
// does not, before a name that a look without a stack would not find.
func TestLimits(t *testing.T) {
	text := func(s string) string { return sized("X", 4, s) }
	// The names come from the memo; the last texts before STACK_GLOBAL are others.
	decoy := func(lead string) string {
		return lead + text("os") + "q\x010" + text("getcwd") + "q\x020h\x01h\x02(" + text("collections") + text("OrderedDict") + "1\x93)R."
	}
	for name, pickle := range map[string]string{
		"long UNICODE":        "V" + strings.Repeat("a", 2<<20) + "\n0" + call,
		"long STRING":         "S'" + strings.Repeat("a", 2<<20) + "'\n0" + call,
		"long INT":            decoy("I" + strings.Repeat("9", 2<<20) + "\n0"),
		"long FLOAT":          decoy("F1." + strings.Repeat("9", 2<<20) + "\n0"),
		"INT in base 16":      decoy("I0x10\n0"),
		"INT in base 8":       decoy("I010\n0"),
		"INT in base 2":       decoy("I0b1\n0"),
		"INT with underscore": decoy("I1_0\n0"),
		"INT up to a NUL":     decoy("I1\x00z\n0"),
		"LONG in base 16":     decoy("L0xffL\n0"),
		"digits":              decoy("L" + strings.Repeat("9", 5000) + "L\n0"),
		"LONG4":               decoy("N0" + sized("\x8b", 4, strings.Repeat("\x01", 9000)) + "0"),
		"bytearray":           decoy("N0" + sized("\x96", 8, "a") + "(K\x01e0"),
		"FRAME":               decoy("N0\x95\xff\xff\xff\x00\x00\x00\x00\x00"),
		"memo in base 10":     decoy("Np1_0\n0g10\n0"),
	} {
		report, err := scanBytes([]byte(pickle))
		if err != nil || report.Verdict != Dangerous {
			t.Errorf("%s: %v\n%.2000s", name, err, report.Text())
		}
	}
}
