package iso

import "strings"

// Product returns the one name under which a reserve is known, whatever the operator calls it:
// letters and digits in lower case, "regup" for RU, "nspin" for non-spinning and so on.
func Product(s string) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(s))
	switch name {
	case "ru", "regulationup", "regup":
		return "regup"
	case "rd", "regulationdown", "regdown", "regdn":
		return "regdn"
	case "sr", "spinning", "spin":
		return "spin"
	case "nr", "nonspin", "nonspinning", "nspin":
		return "nspin"
	case "10minspinning", "10minspinningreserve", "spin10", "10spin":
		return "10minspin"
	case "10minnonsynchronous", "10minnonspin", "nonsync10":
		return "10minnonsync"
	case "30min", "30minoperatingreserve", "30minreserve":
		return "30minoperating"
	case "reg", "regulationcapacity":
		return "regulation"
	}
	return name
}
