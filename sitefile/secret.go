package sitefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"switchyard/sitefile/check"
)

// maxSecret bounds a secret's file in bytes.
const maxSecret = 64 << 10

// Secret returns the secret behind a reference, "env:NAME" or "file:PATH" (relative to the
// site file; a line end at its end is dropped). It blocks on the disk. Errors name the
// reference and never the secret; a secret that is not there or empty is an error.
func (f *File) Secret(ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	var secret string
	switch kind {
	case "env":
		secret = os.Getenv(name)
	case "file":
		in, err := os.Open(f.Path(name))
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		defer in.Close()
		b, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
		switch {
		case err != nil:
			return "", fmt.Errorf("read secret %s: %w", ref, err)
		case len(b) > maxSecret:
			return "", fmt.Errorf("read secret %s: the file has more than %d bytes", ref, maxSecret)
		}
		secret = strings.TrimRight(string(b), "\r\n")
	default:
		return "", errors.New(`read secret: the reference must begin with "env:" or "file:"`)
	}
	if secret == "" {
		return "", fmt.Errorf("read secret %s: it is empty or not set", ref)
	}
	return secret, nil
}

// Login returns the user and the password behind c; both empty when c is nil.
func (f *File) Login(c *Credentials) (user, password string, err error) {
	if c == nil {
		return "", "", nil
	}
	if user = c.User; check.IsReference(user) {
		if user, err = f.Secret(user); err != nil {
			return "", "", err
		}
	}
	if c.Password != "" {
		password, err = f.Secret(c.Password)
	}
	return user, password, err
}
