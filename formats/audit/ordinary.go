package audit

import "strings"

// ordinary is values that people keep in checkpoints, of modules that are dangerous
// otherwise: enumerations, exceptions, records, and functions that compute. They are
// unknown, or on the allowed list. Their methods are not among them.
var ordinary = setOf(`
		io.BytesIO io.StringIO io.UnsupportedOperation io.TextIOWrapper io.BufferedReader io.BufferedWriter io.BufferedRandom
		logging.getLogger logging.Logger logging.RootLogger logging.PlaceHolder logging.Manager logging.LogRecord logging.Formatter
		logging.StreamHandler logging.NullHandler logging.Filter logging.LoggerAdapter logging.PercentStyle logging.StrFormatStyle
		logging.StringTemplateStyle logging._StderrHandler
		http.HTTPStatus http.HTTPMethod http.cookiejar.Cookie http.cookiejar.DefaultCookiePolicy
		signal.Signals signal.Handlers signal.Sigmasks
		inspect.Signature inspect.Parameter inspect.BoundArguments inspect._ParameterKind inspect._empty inspect._void inspect.FullArgSpec
		inspect.ArgSpec inspect.Attribute inspect.FrameInfo
		uuid.UUID uuid.SafeUUID platform.uname_result
		zipfile.ZipInfo zipfile.BadZipFile zipfile.LargeZipFile tarfile.TarInfo tarfile.TarError tarfile.ReadError
		functools.partial types.SimpleNamespace types.MappingProxyType types.GenericAlias types.UnionType types.NoneType
		types.EllipsisType types.NotImplementedType
		operator.itemgetter operator.add operator.sub operator.mul operator.matmul operator.truediv operator.floordiv operator.mod
		operator.pow operator.neg operator.pos operator.abs operator.index operator.inv operator.invert operator.lshift operator.rshift
		operator.and_ operator.or_ operator.xor operator.not_ operator.truth operator.is_ operator.is_not operator.lt operator.le
		operator.eq operator.ne operator.ge operator.gt operator.getitem operator.contains operator.countOf operator.indexOf
		operator.concat operator.length_hint operator.iadd operator.isub operator.imul operator.itruediv operator.ifloordiv
		operator.imod operator.ipow operator.iand operator.ior operator.ixor operator.ilshift operator.irshift operator.iconcat
		operator.imatmul
		os.stat_result os.terminal_size os.times_result os.uname_result os.statvfs_result os.PathLike os.sched_param
		subprocess.CalledProcessError subprocess.TimeoutExpired subprocess.CompletedProcess subprocess.SubprocessError
		socket.AddressFamily socket.SocketKind socket.AddressInfo socket.MsgFlag socket.timeout socket.gaierror socket.herror
		ssl.TLSVersion ssl.VerifyMode ssl.VerifyFlags ssl.Options ssl.AlertDescription ssl.SSLErrorNumber ssl.SSLError ssl._SSLMethod
		urllib.parse.ParseResult urllib.parse.SplitResult urllib.parse.DefragResult urllib3.util.retry.Retry
		urllib3.util.timeout.Timeout requests.models.Response 
		requests.sessions.Session requests.adapters.HTTPAdapter httpx._models.Headers
		configparser.ConfigParser configparser.RawConfigParser configparser.SectionProxy configparser.ConverterMapping
		configparser.BasicInterpolation configparser.ExtendedInterpolation configparser.LegacyInterpolation configparser.Interpolation
		shutil.Error shutil.SameFileError sqlite3.Row sqlite3.Error sqlite3.OperationalError
		 asyncio.CancelledError concurrent.futures._base.TimeoutError threading.local
		multiprocessing.context.TimeoutError multiprocessing.context.ProcessError
		 pickle.PickleError pickle.UnpicklingError pickle.PicklingError
		pickle.HIGHEST_PROTOCOL pickle.PickleBuffer
		joblib.numpy_pickle.NumpyArrayWrapper
		torch._dynamo.eval_frame.OptimizedModule torch._dynamo.eval_frame.OptimizeContext torch._dynamo.eval_frame._TorchDynamoContext
		torch._dynamo.eval_frame.DisableContext torch._dynamo.eval_frame.RunOnlyContext torch._dynamo.eval_frame.innermost_fn
		torch._dynamo.eval_frame.nothing torch._dynamo.eval_frame.always_false torch._dynamo.eval_frame.Unset torch._dynamo.eval_frame.unset
		torch._dynamo.hooks.Hooks torch._dynamo.mutation_guard.GenerationTracker 
		torch._dynamo.backends.registry.lookup_backend torch._dynamo.convert_frame.CatchErrorsWrapper
		torch._dynamo.convert_frame.ConvertFrame torch._dynamo.convert_frame.ConvertFrameAssert
		torch._dynamo.repro.after_dynamo.WrapBackendDebug torch._inductor.compile_fx.compile_fx torch._TorchCompileInductorWrapper
		torch.testing._internal.two_tensor.TwoTensor`)

// ordinaryModules hold nothing but such values.
var ordinaryModules = setOf(`http.cookies urllib.error urllib3.exceptions requests.structures requests.exceptions requests.cookies
	requests.hooks httpx._config httpx._exceptions asyncio.exceptions distutils.version setuptools._distutils.version torch._dynamo.exc
	torch._dynamo.types torch._inductor.exc`)

func setOf(list string) map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(list) {
		names[name] = true
	}
	return names
}
