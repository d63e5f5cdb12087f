package notify

import (
	"errors"
	"net/url"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
)

// sendWithShoutrrr sends one message to the service behind an address.
func sendWithShoutrrr(address, message string) error {
	s, err := (&router.ServiceRouter{}).Locate(address)
	if err != nil {
		return err
	}
	return s.Send(message, nil)
}

// scrub makes an error that shows nothing of the service's address: the library's and the
// network's own errors quote it, and it holds the secret.
func scrub(err error, address string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	pieces := []string{address}
	split := func(s string) {
		pieces = append(pieces, strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("/:@?&=#+,", r) })...)
	}
	split(address)
	if plain, err := url.PathUnescape(address); err == nil {
		split(plain)
	}
	for _, p := range pieces[1:] { // as a library writes it into another address
		pieces = append(pieces, url.PathEscape(p), url.QueryEscape(p))
	}
	for _, p := range pieces {
		if len(p) >= 4 {
			text = strings.ReplaceAll(text, p, "[hidden]")
		}
	}
	return errors.New(cut(text, 300))
}
