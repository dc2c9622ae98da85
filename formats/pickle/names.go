package pickle

// aliases maps Python 2's module names to Python 3's (CPython Lib/_compat_pickle.py),
// and the C twins of modules to the modules.
var aliases = map[string]string{
	"__builtin__": "builtins", "copy_reg": "copyreg", "cPickle": "pickle", "_pickle": "pickle",
	"UserDict": "collections", "UserList": "collections", "UserString": "collections",
	"posix": "os", "nt": "os", "commands": "subprocess", "popen2": "subprocess", "_posixsubprocess": "subprocess",
	"Queue": "queue", "thread": "_thread", "urllib2": "urllib.request", "httplib": "http.client",
	"SimpleHTTPServer": "http.server", "xmlrpclib": "xmlrpc.client", "dbm.bsd": "dbm", "_io": "io",
	"cProfile": "profile", "_socket": "socket", "_ctypes": "ctypes", "_operator": "operator", "_functools": "functools",
	"_sqlite3": "sqlite3", "_ssl": "ssl", "_asyncio": "asyncio", "_multiprocessing": "multiprocessing",
}

// Canonical is the module's Python 3 name.
func Canonical(module string) string {
	if name, ok := aliases[module]; ok {
		return name
	}
	return module
}
