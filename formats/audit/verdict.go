package audit

import (
	"strings"
	"wfs/formats/pickle"
)

// Verdict is what wfs says of a global: never more than what was seen in the file.
type Verdict int

// The verdicts, from good to bad.
const (
	Allowed   Verdict = iota // on torch's weights_only list, or on ours
	Unknown                  // on no list
	Dangerous                // known to run code, or to reach files or the network
)

// String is the word of the reports.
func (v Verdict) String() string { return [...]string{"allowed", "unknown", "dangerous"}[v] }

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Judge gives the verdict on module.name, and the reason where it is not allowed.
func Judge(module, name string) (Verdict, string) {
	canonical := pickle.Canonical(module)
	full := canonical + "." + name
	if allowed[full] || allowedPrefix(canonical, name) {
		return Allowed, ""
	}
	if reason, bad := dangerousName(canonical, name); bad {
		return Dangerous, reason
	}
	return Unknown, "on no list"
}

// dangerousName looks at the module, at each of its parents, and at every part of
// a dotted name: "torch.serialization" "os.system" reaches os.
func dangerousName(module, name string) (string, bool) {
	full := module + "." + name
	for end := len(full); end > 0; end = strings.LastIndexByte(full[:end], '.') {
		if reason, bad := dangerousNames[full[:end]]; bad {
			return reason, true
		}
	}
	parts := strings.Split(module, ".")
	for i := range parts {
		if reason, ok := dangerousModules[strings.Join(parts[:i+1], ".")]; ok {
			return reason, true
		}
	}
	nested := strings.Split(name, ".")
	if len(nested) > 1 {
		for _, part := range nested {
			if reason, ok := dangerousModules[pickle.Canonical(part)]; ok {
				return "reaches " + part + " through its name: " + reason, true
			}
		}
	}
	for _, part := range append(nested, parts[1:]...) {
		if dangerousAttributes[part] {
			return "reaches into the interpreter by " + part, true
		}
	}
	return "", false
}

// dangerousAttributes lead from any object to everything.
var dangerousAttributes = map[string]bool{
	"__globals__": true, "__builtins__": true, "__subclasses__": true, "__import__": true, "__code__": true,
	"__getattribute__": true, "__reduce__": true, "__reduce_ex__": true, "__mro__": true, "__bases__": true,
	"__loader__": true, "__spec__": true, "__dict__": true, "gi_frame": true, "f_globals": true, "f_builtins": true,
}

const (
	runsCode     = "runs commands or code"
	touchesFiles = "reads, writes or deletes files"
	usesNetwork  = "opens network connections"
	loadsPickle  = "unpickles or imports something else"
	indirection  = "calls or fetches whatever it is given"
)

// dangerousModules are dangerous whatever is taken from them. The modules that
// have served in published attacks are collected by picklescan
// (src/picklescan/scanner.py), fickling (fickling/analysis.py) and modelscan
// (modelscan/settings.py); others follow from their documentation.
var dangerousModules = func() map[string]string {
	groups := map[string]string{
		runsCode: `os subprocess sys pty code codeop commands runpy bdb pdb profile pstats trace timeit doctest
			pydoc pydoc_data idlelib lib2to3 distutils setuptools ensurepip venv pip _pyrepl _osx_support _aix_support
			multiprocessing concurrent threading _thread asyncio sched signal ctypes cffi webbrowser antigravity this turtledemo
			platform getpass cmd rlcompleter site sysconfig test unittest pytest nose IPython ipykernel jupyter
			numpy.testing numpy.f2py numpy.distutils torch.utils.cpp_extension torch.utils.collect_env
			torch.utils.bottleneck torch._dynamo torch._inductor torch.testing torch.distributed.run
			torch.distributed.launch torch.utils._config_module torch.fx.experimental torch.jit.unsupported_tensor_ops
			cgitb crypt nturl2path mailcap pipes posixpath ntpath faulthandler gc tracemalloc atexit`,
		loadsPickle: `pickle shelve marshal importlib imp zipimport pkgutil dill cloudpickle joblib copyreg.dispatch
			torch.hub torch.package modulefinder pickletools jsonpickle torch.multiprocessing`,
		touchesFiles: `shutil tempfile fileinput linecache glob io zipfile tarfile bz2 lzma gzip mmap sqlite3 dbm
			logging filecmp configparser netrc compileall py_compile`,
		usesNetwork: `socket socketserver ssl http urllib urllib3 requests httpx aiohttp ftplib smtplib poplib
			imaplib nntplib telnetlib xmlrpc wsgiref select selectors paramiko asyncore asynchat smtpd uuid`,
		indirection: `operator functools inspect types`,
	}
	modules := map[string]string{}
	for reason, names := range groups {
		for _, name := range strings.Fields(names) {
			modules[name] = reason
		}
	}
	return modules
}()

// dangerousNames are single functions of modules that are otherwise harmless.
var dangerousNames = func() map[string]string {
	groups := map[string]string{
		runsCode: `builtins.eval builtins.exec builtins.compile builtins.execfile builtins.breakpoint builtins.input
			builtins.raw_input builtins.exit builtins.quit builtins.help torch.jit.trace
			torch.jit._script torch.jit.script pandas.eval pandas.core.computation
			torch.storage.UntypedStorage.from_file dataclasses.make_dataclass collections.namedtuple typing.get_type_hints
			typing.ForwardRef statistics.mean.__globals__ ast.literal_eval.__globals__`,
		indirection: `builtins.getattr builtins.setattr builtins.delattr builtins.apply builtins.map builtins.filter
			builtins.reduce builtins.globals builtins.locals builtins.vars builtins.dir builtins.type builtins.super
			builtins.classmethod builtins.staticmethod builtins.property builtins.memoryview builtins.id
			builtins.__build_class__ builtins.sorted builtins.max builtins.min weakref.finalize itertools.starmap`,
		loadsPickle: `builtins.__import__ builtins.reload torch.load torch.serialization.load torch.jit.load
			torch.storage._load_from_bytes.__globals__ torch.ops.load_library torch.classes.load_library
			torch._utils_internal torch._C._load_for_lite_interpreter numpy.load numpy.lib.npyio.load numpy.lib.format.read_array
			pandas.read_pickle pandas.io.pickle.read_pickle yaml.load yaml.unsafe_load yaml.full_load keras.models.load_model
			tensorflow.keras.models.load_model torch.utils.model_zoo.load_url`,
		touchesFiles: `builtins.open builtins.file codecs.open pathlib.Path.write_text pathlib.Path.write_bytes
			pathlib.Path.unlink pathlib.Path.open numpy.save numpy.savez numpy.savetxt numpy.fromfile numpy.memmap
			numpy.genfromtxt numpy.loadtxt numpy.core.memmap numpy.lib.npyio torch.save torch.from_file torch.utils.tensorboard
			tensorflow.io.read_file tensorflow.io.write_file`,
	}
	names := map[string]string{}
	for reason, list := range groups {
		for _, name := range strings.Fields(list) {
			names[name] = reason
		}
	}
	return names
}()
