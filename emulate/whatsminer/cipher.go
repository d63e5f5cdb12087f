package whatsminer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"switchyard/emulate/face"
)

var errBase64 = errors.New("not base64")

// box is the device's cipher: AES-256 in ECB, which the standard library rightly does not
// offer, with a key that follows from the password.
type box struct{ block cipher.Block }

// newBox makes the cipher for a key, which is the hash field of the password's md5crypt.
func newBox(key string) (box, error) {
	sum := sha256.Sum256([]byte(key))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return box{}, fmt.Errorf("make cipher: %w", err)
	}
	return box{block}, nil
}

// seal returns base64 of the encrypted text, padded with zeros.
func (x box) seal(text []byte) string {
	n := (len(text) + aes.BlockSize - 1) / aes.BlockSize * aes.BlockSize
	b := make([]byte, n)
	copy(b, text)
	for i := 0; i < n; i += aes.BlockSize {
		x.block.Encrypt(b[i:i+aes.BlockSize], b[i:i+aes.BlockSize])
	}
	return base64.StdEncoding.EncodeToString(b)
}

// open decrypts what seal made. Padding of zeros is cut off, and so is PKCS #7, which some
// clients send. Under the wrong key the result is noise.
func (x box) open(data string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, errBase64
	}
	if len(b) == 0 || len(b)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%d bytes are no whole blocks", len(b))
	}
	for i := 0; i < len(b); i += aes.BlockSize {
		x.block.Decrypt(b[i:i+aes.BlockSize], b[i:i+aes.BlockSize])
	}
	if n := int(b[len(b)-1]); n > 0 && n <= aes.BlockSize && !json.Valid(face.Trim(b)) {
		b = b[:len(b)-n]
	}
	return face.Trim(b), nil
}
