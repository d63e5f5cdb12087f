package study

import (
	"math"
	"reflect"
)

// cents rounds to a hundredth: what a reader can use, and what is the same on machines that differ
// in the last digits of a sum.
func cents(v float64) float64 {
	if r := math.Round(v*100) / 100; r != 0 {
		return r
	}
	return 0 // never minus nought
}

// rounded rounds all figures of a report in place: those below a hundred, rates and ratios, to six decimals,
// all others to cents. A list without anything becomes an empty one: machines read [] and not null.
func rounded(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			rounded(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			rounded(v.Field(i))
		}
	case reflect.Slice:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			rounded(v.Index(i))
		}
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Float64 {
			for _, k := range v.MapKeys() {
				v.SetMapIndex(k, reflect.ValueOf(digits(v.MapIndex(k).Float())))
			}
		}
	case reflect.Float64:
		v.SetFloat(digits(v.Float()))
	}
}

func digits(v float64) float64 {
	if a := math.Abs(v); a < 100 {
		if r := math.Round(v*1e6) / 1e6; r != 0 {
			return r
		}
		return 0
	}
	return cents(v)
}
