package audit

import "strings"

// allowed is the list of torch's weights_only unpickler (torch/_weights_only_unpickler.py,
// _get_allowed_globals) and, after it, what wfs adds: containers, NumPy's array
// functions, Namespace and paths. Their functions make a value out of their arguments.
var allowed = func() map[string]bool {
	names := map[string]bool{}
	for _, list := range []string{
		`collections.OrderedDict collections.Counter torch.nn.parameter.Parameter torch.serialization._get_layout
		 torch.Size torch.Tensor torch.device _codecs.encode builtins.bytearray builtins.set builtins.complex
		 torch._utils._rebuild_parameter torch._utils._rebuild_parameter_with_state torch._utils._rebuild_qtensor
		 torch._utils._rebuild_tensor torch._utils._rebuild_tensor_v2 torch._utils._rebuild_tensor_v3
		 torch._utils._rebuild_sparse_tensor torch._utils._rebuild_meta_tensor_no_storage
		 torch._utils._rebuild_wrapper_subclass torch._utils._rebuild_device_tensor_from_numpy
		 torch._utils._rebuild_device_tensor_from_cpu_tensor torch._tensor._rebuild_from_type_v2
		 torch.tensor._rebuild_from_type_v2 torch.storage.TypedStorage torch.storage.UntypedStorage
		 torch.per_tensor_affine torch.per_channel_affine torch.per_tensor_symmetric torch.per_channel_symmetric
		 torch.per_channel_affine_float_qparams`,
		`collections.defaultdict collections.deque builtins.frozenset builtins.list builtins.dict builtins.tuple
		 builtins.slice builtins.range builtins.object builtins.int builtins.float builtins.str builtins.bool builtins.bytes
		 builtins.long builtins.unicode copyreg._reconstructor copyreg.__newobj__ argparse.Namespace
		 pathlib.Path pathlib.PosixPath pathlib.WindowsPath pathlib.PurePosixPath pathlib.PureWindowsPath pathlib.PurePath
		 pathlib._local.PosixPath pathlib._local.WindowsPath
		 datetime.datetime datetime.date datetime.time datetime.timedelta datetime.timezone decimal.Decimal fractions.Fraction
		 numpy.dtype numpy.ndarray numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct
		 numpy.core.multiarray.scalar numpy._core.multiarray.scalar numpy.core.numeric._frombuffer
		 numpy._core.numeric._frombuffer torch._utils._rebuild_nested_tensor torch._utils._rebuild_xla_tensor
		 torch._tensor._rebuild_from_type torch.nested._internal.nested_tensor._rebuild_njt
		 torch.storage._load_from_bytes torch.jit._pickle.restore_type_tag torch.jit._pickle.build_intlist torch.jit._pickle.build_tensorlist
		 torch.jit._pickle.build_doublelist torch.jit._pickle.build_boollist torch.nn.parameter.Buffer
		 torch.autograd.variable.Variable types.SimpleNamespace
		 torch.distributed.tensor.DTensor torch.distributed._tensor.api.DTensor
		 torch.distributed.tensor._dtensor_spec.DTensorSpec torch.distributed.tensor._dtensor_spec.TensorMeta
		 torch.distributed.tensor._dtensor_spec.ShardOrderEntry
		 torch.distributed.tensor.placement_types.Shard torch.distributed.tensor.placement_types.Replicate
		 torch.distributed.tensor.placement_types.Partial torch.distributed.device_mesh.DeviceMesh`,
		// Values of the standard library.
		`builtins.Ellipsis builtins.NotImplemented builtins.NoneType uuid.UUID uuid.SafeUUID signal.Signals signal.Handlers http.HTTPStatus
		 http.HTTPMethod platform.uname_result os.stat_result os.terminal_size`,
		// The metadata of a distributed checkpoint, which are records and enumerations.
		`torch.distributed.checkpoint.metadata.Metadata torch.distributed.checkpoint.metadata.TensorStorageMetadata
		 torch.distributed.checkpoint.metadata.BytesStorageMetadata torch.distributed.checkpoint.metadata.ChunkStorageMetadata
		 torch.distributed.checkpoint.metadata.TensorProperties torch.distributed.checkpoint.metadata.MetadataIndex
		 torch.distributed.checkpoint.metadata.StorageMeta torch.distributed.checkpoint.metadata._MEM_FORMAT_ENCODING
		 torch.distributed._shard.sharded_tensor.metadata.TensorProperties torch.distributed._shard.sharded_tensor.metadata.MEM_FORMAT_ENCODING
		 torch.distributed._shard.metadata.ShardMetadata torch.distributed.checkpoint.filesystem._StorageInfo`,
	} {
		for _, name := range strings.Fields(list) {
			names[name] = true
		}
	}
	return names
}()

// dtypes of torch by the beginning of their names; the rest are digits and suffixes.
var dtypeStems = []string{
	"float", "bfloat", "double", "half", "int", "uint", "long", "short", "bool", "complex", "cfloat", "cdouble", "chalf",
	"quint", "qint", "bits", "bcomplex", "strided", "sparse_", "jagged", "contiguous_format", "channels_last",
}

// allowedPrefix covers families: torch's dtypes, and its storage and tensor classes.
func allowedPrefix(module, name string) bool {
	if strings.Contains(name, ".") {
		return false
	}
	switch module {
	case "torch":
		for _, stem := range dtypeStems {
			if strings.HasPrefix(name, stem) {
				return true
			}
		}
		return strings.HasSuffix(name, "Storage") || strings.HasSuffix(name, "Tensor")
	case "torch.cuda", "torch.storage", "torch.sparse", "torch.cuda.sparse":
		return strings.HasSuffix(name, "Storage") || strings.HasSuffix(name, "Tensor")
	case "torch.distributed._mesh_layout":
		return true
	}
	return false
}
