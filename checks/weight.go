package checks

// Weighs reports whether a probe may ask for a weight.
func Weighs(p Probe) bool {
	switch p := p.(type) {
	case Agent:
		return true
	case HTTP:
		return p.WeightHeader != "" || p.WeightBody
	case Script:
		return p.DynamicWeight || p.Exit == ExitKeepalived
	}
	return false
}
