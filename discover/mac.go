package discover

import (
	"fmt"
	"strings"
)

// MAC returns a hardware address as "AA:BB:CC:DD:EE:FF", from text with colons, hyphens,
// dots or none. False: it is none, or one that no device has as its own, such as all zeros.
func MAC(text string) (string, bool) {
	if len(text) > 32 {
		return "", false
	}
	hex := strings.Map(func(r rune) rune {
		switch r {
		case ':', '-', '.', ' ':
			return -1
		}
		return r
	}, strings.ToUpper(strings.TrimSpace(text)))
	if len(hex) != 12 || strings.Trim(hex, "0123456789ABCDEF") != "" {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < 12; i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(hex[i : i+2])
	}
	first := strings.IndexByte("0123456789ABCDEF", hex[1])
	if hex == "000000000000" || first%2 == 1 { // nobody's, or a group's
		return "", false
	}
	return b.String(), true
}

// Serial returns a serial number without blanks around it; empty where it is a firmware's
// word for having none.
func Serial(text string) string {
	s := strings.TrimSpace(text)
	if len(s) < 4 || len(s) > 100 || strings.Trim(s, "0Xx-.?") == "" {
		return ""
	}
	switch strings.ToLower(s) {
	case "none", "null", "unknown", "undefined", "not set", "default", "serial", "123456", "12345678", "123456789":
		return ""
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return ""
		}
	}
	return s
}

func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return fmt.Sprintf("%q", s)
}
