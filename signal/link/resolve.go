package link

import (
	"fmt"

	"switchyard/sitefile"
)

// Secrets are what a broker's entry in the site file refers to.
type Secrets struct {
	User, Password string
	// Sign is our own signing key (PEM) of a DSX agent; empty without one.
	Sign string
}

// Resolve makes paths whole and reads what cfg refers to: cfg comes back with CA, Cert and
// Keys as paths that can be opened from anywhere and with Key holding the key itself. It
// blocks on the disk. Errors name the reference, never the secret.
func Resolve(f *sitefile.File, cfg sitefile.MQTT) (sitefile.MQTT, Secrets, error) {
	var s Secrets
	var err error
	if s.User, s.Password, err = f.Login(cfg.Credentials); err != nil {
		return cfg, s, fmt.Errorf("mqtt %s: %w", cfg.Name, err)
	}
	for _, p := range []*string{&cfg.CA, &cfg.Cert} {
		if *p != "" {
			*p = f.Path(*p)
		}
	}
	if cfg.Key != "" {
		if cfg.Key, err = f.Secret(cfg.Key); err != nil {
			return cfg, s, fmt.Errorf("mqtt %s: key: %w", cfg.Name, err)
		}
	}
	if cfg.DSX == nil {
		return cfg, s, nil
	}
	d := *cfg.DSX // the site file stays as it was read
	if d.Keys != "" {
		d.Keys = f.Path(d.Keys)
	}
	if d.Sign != "" {
		if s.Sign, err = f.Secret(d.Sign); err != nil {
			return cfg, s, fmt.Errorf("mqtt %s: dsx: %w", cfg.Name, err)
		}
	}
	cfg.DSX = &d
	return cfg, s, nil
}
