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

// nextWeight returns the weight that follows one when a probe asks for another,
// at most step away; 0 is no limit. What was or is not asked for knows no steps.
func nextWeight(was, asked *int, step int) *int {
	if was == nil || asked == nil || step <= 0 {
		return asked
	}
	weight := min(max(*asked, *was-step), *was+step)
	return &weight
}
