package whatsminer

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
)

// A token lives 30 minutes on the device; it is not used in its last two.
const tokenLife = 28 * time.Minute

const (
	// stage is how long before its end a token is renewed, site time: some polls.
	stage = 3 * time.Minute
	// again is the pause after a staging that failed, site time.
	again = time.Minute
)

// token is a key and a signature derived from the password and the device's salts.
type token struct {
	key, sign string
	until     time.Time // site time
}

// newToken derives a token from the Msg of get_token.
func newToken(password string, msg rpc.Object, now time.Time) (*token, error) {
	when, salt, newSalt := msg.Text("time"), msg.Text("salt"), msg.Text("newsalt")
	if when == "" || salt == "" || newSalt == "" {
		return nil, fmt.Errorf("token without time, salt or newsalt: %w", driver.ErrUnreachable)
	}
	key := md5crypt(password, salt)
	return &token{key: key, sign: md5crypt(key+when, newSalt), until: now.Add(tokenLife)}, nil
}

// seal encrypts a command: AES-256 in ECB (the maker's choice), zero-padded as the makers'
// older firmwares want and the newer bear.
func (k *token) seal(command map[string]any) ([]byte, error) {
	command["token"] = k.sign
	plain, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	plain = append(plain, make([]byte, (aes.BlockSize-len(plain)%aes.BlockSize)%aes.BlockSize)...)
	if err := encrypt(sha256.Sum256([]byte(k.key)), plain); err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Enc  int    `json:"enc"`
		Data string `json:"data"`
	}{1, base64.StdEncoding.EncodeToString(plain)})
}

// encrypt encrypts whole blocks in place.
func encrypt(key [sha256.Size]byte, data []byte) error {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	for at := 0; at < len(data); at += aes.BlockSize {
		block.Encrypt(data[at:at+aes.BlockSize], data[at:at+aes.BlockSize])
	}
	return nil
}

// sealParam encrypts a parameter of API 3 under the digest that its token is cut from, with
// PKCS7 padding.
func sealParam(key [sha256.Size]byte, param any) (string, error) {
	plain, err := json.Marshal(param)
	if err != nil {
		return "", err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	if err := encrypt(key, plain); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(plain), nil
}

var errNotSealed = errors.New("cannot be decrypted with this password")

// unseal decrypts a reply's "enc" field and takes either padding off.
func (k *token) unseal(enc string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields([]byte(enc)), nil)))
	if err != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 || len(data) > rpc.MaxReply {
		return nil, fmt.Errorf("encrypted reply is not whole blocks of base64: %w", driver.ErrUnreachable)
	}
	key := sha256.Sum256([]byte(k.key))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	for at := 0; at < len(data); at += aes.BlockSize {
		block.Decrypt(data[at:at+aes.BlockSize], data[at:at+aes.BlockSize])
	}
	data = unpad(data)
	if len(data) == 0 || data[0] != '{' {
		return nil, fmt.Errorf("encrypted reply %w: %w", errNotSealed, driver.ErrUnauthorized)
	}
	return data, nil
}

// unpad takes PKCS7 padding off if it is whole, else zeros.
func unpad(data []byte) []byte {
	n := int(data[len(data)-1])
	if n >= 1 && n <= aes.BlockSize && n <= len(data) &&
		bytes.Count(data[len(data)-n:], []byte{byte(n)}) == n {
		return data[:len(data)-n]
	}
	return bytes.TrimRight(data, "\x00")
}
