package pickle

// aliases maps Python 2's module names to Python 3's (CPython Lib/_compat_pickle.py,
// IMPORT_MAPPING), and the C twins of modules to the modules.
var aliases = map[string]string{
	"__builtin__": "builtins", "copy_reg": "copyreg", "cPickle": "pickle", "_pickle": "pickle",
	"UserDict": "collections", "UserList": "collections", "UserString": "collections", "_collections": "collections",
	"posix": "os", "nt": "os", "commands": "subprocess", "popen2": "subprocess", "_posixsubprocess": "subprocess",
	"Queue": "queue", "thread": "_thread", "dummy_thread": "_thread", "urllib2": "urllib.request", "httplib": "http.client",
	"robotparser": "urllib.robotparser", "urlparse": "urllib.parse", "Cookie": "http.cookies", "cookielib": "http.cookiejar",
	"BaseHTTPServer": "http.server", "SimpleHTTPServer": "http.server", "CGIHTTPServer": "http.server", "SocketServer": "socketserver",
	"xmlrpclib": "xmlrpc.client", "DocXMLRPCServer": "xmlrpc.server", "SimpleXMLRPCServer": "xmlrpc.server",
	"dbm.bsd": "dbm", "anydbm": "dbm", "whichdb": "dbm", "dbhash": "dbm", "dumbdbm": "dbm", "gdbm": "dbm", "_dbm": "dbm", "_gdbm": "dbm",
	"_io": "io", "cStringIO": "io", "StringIO": "io", "_pyio": "io", "ConfigParser": "configparser", "repr": "reprlib",
	"cProfile": "profile", "_lsprof": "profile", "_socket": "socket", "_ctypes": "ctypes", "_operator": "operator", "_functools": "functools",
	"_sqlite3": "sqlite3", "_ssl": "ssl", "_asyncio": "asyncio", "_multiprocessing": "multiprocessing", "multiprocess": "multiprocessing",
	"_imp": "imp", "_frozen_importlib": "importlib", "_frozen_importlib_external": "importlib", "_signal": "signal",
	"_bz2": "bz2", "_lzma": "lzma", "_tkinter": "tkinter", "Tkinter": "tkinter", "_winreg": "winreg", "test.test_support": "test.support",
	"_uuid": "uuid", "_winapi": "subprocess", "multiprocessing.forking": "multiprocessing",
}

// renamed maps what Python 2 kept elsewhere (Lib/_compat_pickle.py, NAME_MAPPING).
var renamed = map[[2]string][2]string{
	{"builtins", "xrange"}: {"builtins", "range"}, {"builtins", "reduce"}: {"functools", "reduce"},
	{"builtins", "intern"}: {"sys", "intern"}, {"builtins", "unichr"}: {"builtins", "chr"},
	{"builtins", "basestring"}: {"builtins", "str"}, {"builtins", "raw_input"}: {"builtins", "input"},
	{"builtins", "izip"}: {"builtins", "zip"}, {"itertools", "imap"}: {"builtins", "map"},
	{"itertools", "ifilter"}: {"builtins", "filter"}, {"itertools", "izip"}: {"builtins", "zip"},
	{"os", "getcwdu"}: {"os", "getcwd"}, {"collections", "IterableUserDict"}: {"collections", "UserDict"},
	{"exceptions", "StandardError"}: {"builtins", "Exception"},
	{"urllib", "urlopen"}:           {"urllib.request", "urlopen"}, {"urllib", "urlretrieve"}: {"urllib.request", "urlretrieve"},
	{"socket", "_socketobject"}: {"socket", "SocketType"},
}

// Canonical is the module's Python 3 name.
func Canonical(module string) string {
	if name, ok := aliases[module]; ok {
		return name
	}
	return module
}

// CanonicalName is the Python 3 name of what a module holds.
func CanonicalName(module, name string) (string, string) {
	module = Canonical(module)
	if to, ok := renamed[[2]string{module, name}]; ok {
		return to[0], to[1]
	}
	return module, name
}
