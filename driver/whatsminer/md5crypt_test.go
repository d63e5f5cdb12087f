package whatsminer

import (
	"strings"
	"testing"
)

// The expected fields are those that `openssl passwd -1 -salt ...` prints.
func TestMD5Crypt(t *testing.T) {
	cases := []struct{ password, salt, want string }{
		{"password", "saltstri", "qQY4WxjABChYG1ccLpfkz/"},
		{"password", "saltstring", "qQY4WxjABChYG1ccLpfkz/"}, // only 8 of the salt count
		{"admin", "0wJrxGnj", "GgpKFjE7bVMlFdFPsz3t1/"},
		{"", "x", "fwjfZtMwarkdetsjiQreU1"},
		{"Hello world! this is a long password over sixteen", "deadbeef", "2MkcVfF9juoJUld01iUh9/"},
		{"pw", "12345678901", "OYWcP3UEQ50eVnrC3.L3v/"},
	}
	for _, c := range cases {
		if got := md5crypt(c.password, c.salt); got != c.want {
			t.Errorf("md5crypt(%q, %q) = %s, want %s", c.password, c.salt, got, c.want)
		}
	}
}

func FuzzMD5Crypt(f *testing.F) {
	f.Add("admin", "0wJrxGnj")
	f.Add(strings.Repeat("p", 1000), "")
	f.Fuzz(func(t *testing.T, password, salt string) {
		got := md5crypt(password, salt)
		if len(got) != 22 || strings.Trim(got, itoa64) != "" {
			t.Fatalf("%q", got)
		}
		if len(salt) > 8 && got != md5crypt(password, salt[:8]) {
			t.Fatal("more than 8 characters of the salt count")
		}
	})
}
