//go:build !amd64

package ops

// native is portable where there is no assembly.
func native() kernels { return portable }
