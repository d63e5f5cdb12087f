package whatsminer

import "crypto/md5"

// magic begins what crypt(3) calls the MD5 method.
const magic = "$1$"

// maxSecret bounds what is hashed; a thousand rounds over a huge password would be a
// gift to whoever sends one.
const maxSecret = 256

const itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// md5crypt returns the last field of the MD5 method of crypt(3): 22 characters. Of the salt
// the first 8 characters count, as documented; of the password, the first 256.
func md5crypt(password, salt string) string {
	pw, s := []byte(password[:min(len(password), maxSecret)]), []byte(salt[:min(len(salt), 8)])
	alt := md5.Sum(concat(pw, s, pw))
	b := concat(pw, []byte(magic), s)
	for left := len(pw); left > 0; left -= 16 {
		b = append(b, alt[:min(left, 16)]...)
	}
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 == 1 {
			b = append(b, 0)
		} else {
			b = append(b, pw[0])
		}
	}
	sum := md5.Sum(b)
	for round := range 1000 {
		b = b[:0]
		if round&1 == 1 {
			b = append(b, pw...)
		} else {
			b = append(b, sum[:]...)
		}
		if round%3 != 0 {
			b = append(b, s...)
		}
		if round%7 != 0 {
			b = append(b, pw...)
		}
		if round&1 == 1 {
			b = append(b, sum[:]...)
		} else {
			b = append(b, pw...)
		}
		sum = md5.Sum(b)
	}
	return encode(sum)
}

// encode writes the sum in the method's own order and base 64.
func encode(sum [16]byte) string {
	out := make([]byte, 0, 22)
	put := func(v uint32, n int) {
		for range n {
			out = append(out, itoa64[v&63])
			v >>= 6
		}
	}
	for i := range 5 {
		c := i + 12
		if i == 4 {
			c = 5
		}
		put(uint32(sum[i])<<16|uint32(sum[i+6])<<8|uint32(sum[c]), 4)
	}
	put(uint32(sum[11]), 2)
	return string(out)
}

func concat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
