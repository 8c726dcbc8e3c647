package conf

import (
	"fmt"
	"math/big"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions returns the functions that expressions may call. None of them
// depends on anything but its arguments, so that a configuration means the
// same on every machine and at every time.
func functions() map[string]function.Function {
	return map[string]function.Function{
		"address":    addressFunc(),
		"concat":     stdlib.ConcatFunc,
		"contains":   stdlib.ContainsFunc,
		"distinct":   stdlib.DistinctFunc,
		"flatten":    stdlib.FlattenFunc,
		"format":     stdlib.FormatFunc,
		"formatlist": stdlib.FormatListFunc,
		"join":       stdlib.JoinFunc,
		"keys":       stdlib.KeysFunc,
		"length":     stdlib.LengthFunc,
		"lookup":     stdlib.LookupFunc,
		"lower":      stdlib.LowerFunc,
		"max":        stdlib.MaxFunc,
		"merge":      stdlib.MergeFunc,
		"min":        stdlib.MinFunc,
		"range":      stdlib.RangeFunc,
		"replace":    stdlib.ReplaceFunc,
		"reverse":    stdlib.ReverseListFunc,
		"setproduct": productFunc(),
		"slice":      stdlib.SliceFunc,
		"sort":       stdlib.SortFunc,
		"split":      stdlib.SplitFunc,
		"upper":      stdlib.UpperFunc,
		"values":     stdlib.ValuesFunc,
		"zipmap":     stdlib.ZipmapFunc,
	}
}

// productFunc is setproduct, of which a slip of the pen does not eat the memory.
func productFunc() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "sets", Type: cty.DynamicPseudoType},
		Type: func(args []cty.Value) (cty.Type, error) {
			size := 1
			for i, set := range args {
				if !set.CanIterateElements() {
					continue // told by the original
				}
				if size *= max(1, set.LengthInt()); size > maxDynamic {
					return cty.NilType, function.NewArgErrorf(i, "the product has more than %d elements", maxDynamic)
				}
			}
			return stdlib.SetProductFunc.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return stdlib.SetProductFunc.Call(args) },
	})
}

// addressFunc is address("10.0.0.0/24", 11) = "10.0.0.11", the n-th address of
// a prefix. A negative n counts from the end.
func addressFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "n", Type: cty.Number}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			prefix, err := netip.ParsePrefix(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "%q is not a prefix such as 10.0.0.0/24", args[0].AsString())
			}
			n, accuracy := args[1].AsBigFloat().Int(nil)
			if accuracy != big.Exact {
				return cty.NilVal, function.NewArgErrorf(1, "want a whole number")
			}
			addr, err := nthAddress(prefix, n)
			if err != nil {
				return cty.NilVal, function.NewArgError(1, err)
			}
			return cty.StringVal(addr.String()), nil
		},
	})
}

// nthAddress returns the address of prefix that n counts from its start, or
// from its end when n is negative.
func nthAddress(prefix netip.Prefix, n *big.Int) (netip.Addr, error) {
	first := prefix.Masked().Addr()
	size := new(big.Int).Lsh(big.NewInt(1), uint(first.BitLen()-prefix.Bits()))
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, size)
	}
	if n.Sign() < 0 || n.Cmp(size) >= 0 {
		return netip.Addr{}, fmt.Errorf("%s has %s addresses", prefix, size)
	}
	raw := make([]byte, first.BitLen()/8)
	new(big.Int).Add(new(big.Int).SetBytes(first.AsSlice()), n).FillBytes(raw)
	addr, _ := netip.AddrFromSlice(raw)
	return addr, nil
}
