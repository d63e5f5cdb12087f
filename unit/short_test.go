package unit

import "testing"

func TestShort(t *testing.T) {
	for in, want := range map[Power]string{
		0: "0 W", 499: "0 W", 860 * Watt: "860 W", 999_600: "1 kW", 210_400 * Watt: "210.4 kW", 210 * Kilowatt: "210 kW",
		1_503 * Kilowatt: "1.503 MW", 1_500 * Kilowatt: "1.5 MW", 999_960 * Watt: "1 MW", -12 * Kilowatt: "-12 kW",
		1_050 * Kilowatt: "1.05 MW",
	} {
		if got := in.Short(); got != want {
			t.Errorf("Power(%d).Short() = %q, want %q", int64(in), got, want)
		}
	}
	for in, want := range map[Price]string{
		0: "0.00", 61_200_000: "61.20", -5_049_999: "-5.05", 1_004_999: "1.00", 1_005_000: "1.01", 2_500_000_000: "2500.00",
	} {
		if got := in.Short(); got != want {
			t.Errorf("Price(%d).Short() = %q, want %q", int64(in), got, want)
		}
	}
}
