package audit

import "strings"

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
		runsCode: `os subprocess sys pty codeop commands runpy bdb pdb pstats timeit doctest
			pydoc pydoc_data idlelib lib2to3 distutils setuptools ensurepip venv pip _pyrepl _osx_support _aix_support
			multiprocessing concurrent threading _thread asyncio sched signal ctypes cffi webbrowser antigravity this turtledemo
			platform getpass rlcompleter site sysconfig test.support test.libregrtest test.regrtest unittest pytest nose IPython ipykernel jupyter
			numpy.testing numpy.f2py numpy.distutils torch.utils.cpp_extension torch.utils.collect_env
			torch.utils.bottleneck torch._dynamo torch._inductor torch.testing torch.distributed.run
			torch.distributed.launch torch.utils._config_module torch.fx.experimental torch.jit.unsupported_tensor_ops
			cgitb crypt nturl2path mailcap pipes posixpath ntpath faulthandler gc tracemalloc atexit`,
		loadsPickle: `pickle shelve marshal importlib imp zipimport pkgutil dill cloudpickle joblib copyreg.dispatch
			torch.hub torch.utils.data.datapipes.utils.decoder torch.package modulefinder pickletools jsonpickle torch.multiprocessing`,
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
		runsCode: `code.interact code.InteractiveInterpreter code.InteractiveConsole code.compile_command
			profile.run profile.runctx profile.Profile profile.main trace.Trace trace.main cmd.Cmd
			builtins.eval builtins.exec builtins.compile builtins.execfile builtins.breakpoint builtins.input
			builtins.raw_input builtins.exit builtins.quit builtins.help torch.jit.trace
			torch.jit._script torch.jit.script pandas.eval pandas.core.computation
			torch.storage.UntypedStorage.from_file dataclasses.make_dataclass collections.namedtuple typing.get_type_hints
			typing.ForwardRef statistics.mean.__globals__ ast.literal_eval.__globals__`,
		indirection: `builtins.setattr builtins.delattr builtins.apply builtins.map builtins.filter
			builtins.reduce builtins.globals builtins.locals builtins.vars builtins.dir builtins.super
			builtins.classmethod builtins.staticmethod builtins.property
			builtins.__build_class__ weakref.finalize itertools.starmap`,
		loadsPickle: `builtins.__import__ builtins.reload torch.load torch.serialization.load torch.jit.load
			torch.storage._load_from_bytes.__globals__ torch.ops.load_library torch.classes.load_library
			torch._utils_internal torch._C._load_for_lite_interpreter numpy.load numpy.lib.npyio.load numpy.lib.format.read_array
			pandas.read_pickle pandas.io.pickle.read_pickle yaml.load yaml.unsafe_load yaml.full_load keras.models.load_model
			tensorflow.keras.models.load_model torch.utils.model_zoo.load_url`,
		touchesFiles: `builtins.open builtins.file codecs.open numpy.save numpy.savez numpy.savetxt numpy.fromfile numpy.memmap
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
