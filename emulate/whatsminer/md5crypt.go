package whatsminer

import "crypto/md5"

const md5Alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// md5Places is the order in which crypt(3) writes the bytes of the hash, three at a time.
var md5Places = [...][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}}

// md5crypt returns the last field of crypt(3)'s "$1$salt$hash": 22 characters. As there,
// only the first eight characters of the salt count.
func md5crypt(password, salt string) string {
	pw, s := []byte(password), []byte(salt)
	if len(s) > 8 {
		s = s[:8]
	}
	sum := md5Start(pw, s)
	buf := make([]byte, 0, 2*len(pw)+len(s)+md5.Size)
	for i := range 1000 {
		buf = buf[:0]
		buf = appendIf(buf, i&1 == 1, pw, sum[:])
		if i%3 != 0 {
			buf = append(buf, s...)
		}
		if i%7 != 0 {
			buf = append(buf, pw...)
		}
		buf = appendIf(buf, i&1 == 1, sum[:], pw)
		sum = md5.Sum(buf)
	}
	out := make([]byte, 0, 22)
	for _, p := range md5Places {
		out = appendSix(out, uint(sum[p[0]])<<16|uint(sum[p[1]])<<8|uint(sum[p[2]]), 4)
	}
	return string(appendSix(out, uint(sum[11]), 2))
}

// md5Start is the hash that the thousand rounds begin with.
func md5Start(pw, salt []byte) [md5.Size]byte {
	inner := md5.Sum(append(append(append([]byte{}, pw...), salt...), pw...))
	b := append(append(append([]byte{}, pw...), "$1$"...), salt...)
	for n := len(pw); n > 0; n -= md5.Size {
		b = append(b, inner[:min(n, md5.Size)]...)
	}
	for n := len(pw); n > 0; n >>= 1 {
		if n&1 == 1 {
			b = append(b, 0)
		} else {
			b = append(b, pw[0])
		}
	}
	return md5.Sum(b)
}

func appendIf(b []byte, first bool, yes, no []byte) []byte {
	if first {
		return append(b, yes...)
	}
	return append(b, no...)
}

func appendSix(b []byte, v uint, n int) []byte {
	for range n {
		b = append(b, md5Alphabet[v&0x3f])
		v >>= 6
	}
	return b
}
