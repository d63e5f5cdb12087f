package emulate

import (
	"testing"
	"time"
)

func TestModels(t *testing.T) {
	tests := []struct {
		driver, name string
		known        bool
		want         string
		th, w        float64
	}{
		{"antminer", "S21", true, "S21", 200, 3500},
		{"antminer", "antminer s19j pro", true, "S19j Pro", 104, 3068},
		{"antminer", "S19-XP", true, "S19 XP", 140, 3010},
		{"whatsminer", "WhatsMiner M60S", true, "M60S", 186, 3441},
		{"whatsminer-v3", "M50S", true, "M50S", 126, 3276},
		{"whatsminer", "m30s++", true, "M30S++", 112, 3472},
		{"braiins", "S19", true, "S19", 95, 3250},
		{"braiins", "S19k Pro", true, "S19k Pro", 120, 2760},
		{"whatsminer", "S21", false, "S21", 100, 3250},
	}
	for _, tt := range tests {
		m, known := kindOf(tt.driver).make.Model(tt.name)
		if known != tt.known || m.Name != tt.want || m.Hashrate.TH() != tt.th || m.Nameplate.Watts() != tt.w {
			t.Errorf("%s %q: got %v %+v", tt.driver, tt.name, known, m)
		}
		if m.Boot+m.RampUp < 3*time.Minute || m.Boot+m.RampUp > 6*time.Minute {
			t.Errorf("%s %q wakes in %v", tt.driver, tt.name, m.Boot+m.RampUp)
		}
		if s := m.Standby.Watts(); s < 15 || s > 60 {
			t.Errorf("%s %q stands by at %v W", tt.driver, tt.name, s)
		}
	}
}

func TestFactoryLogins(t *testing.T) {
	for driver, want := range map[string][2]string{
		"antminer": {"root", "root"}, "whatsminer": {"admin", "admin"}, "whatsminer-v3": {"super", "super"}, "braiins": {"root", ""},
	} {
		if m := kindOf(driver).make; m.User != want[0] || m.Password != want[1] {
			t.Errorf("%s: %q %q", driver, m.User, m.Password)
		}
	}
}
