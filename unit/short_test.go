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
	for in, want := range map[float64]string{
		0: "0 TH/s", 123.01177929: "123 TH/s", 123.46: "123.5 TH/s", 1.0166: "1.02 TH/s", 9.994: "9.99 TH/s", 9.996: "10 TH/s", 0.512: "512 GH/s",
		0.9996: "1 TH/s", 999.96: "1 PH/s", 999.94: "999.9 TH/s", 1234.5: "1.23 PH/s", 45_678: "45.7 PH/s", 2_345_678: "2.35 EH/s", -98.76: "-98.8 TH/s", 100: "100 TH/s",
	} {
		if got := (Hashrate(in) * TeraHash).Short(); got != want {
			t.Errorf("Hashrate of %v TH/s: %q, want %q", in, got, want)
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
