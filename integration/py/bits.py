"""The bytes of torch tensors and their names in other formats. Imported by the other scripts."""

import torch

# What safetensors calls each dtype; the others have no name there.
SAFETENSORS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16", torch.uint8: "U8",
    torch.bool: "BOOL", torch.complex64: "C64",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.float8_e8m0fnu: "F8_E8M0",
    torch.float8_e4m3fnuz: "F8_E4M3FNUZ", torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
    torch.float4_e2m1fn_x2: "F4",
}

# Those that NumPy has no name for; f32/ holds them as float32.
NAMELESS = {
    torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu,
    torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float4_e2m1fn_x2,
}


def tensor_bytes(tensor):
    """The elements in C order as they lie in memory, conjugation and negation applied."""
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if plain.numel() == 0:
        return b""
    return plain.reshape(-1).view(torch.uint8).numpy().tobytes()


def float32(tensor):
    """The tensor as NumPy float32."""
    if tensor.dtype == torch.float4_e2m1fn_x2:
        codes = tensor.detach().contiguous().view(torch.uint8)
        codes = torch.stack([codes & 15, codes >> 4], dim=-1).reshape(*codes.shape[:-1], 2 * codes.shape[-1])
        values = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
        return torch.where(codes >= 8, -values[(codes & 7).long()], values[(codes & 7).long()]).numpy()
    return tensor.detach().contiguous().to(torch.float32).numpy()
