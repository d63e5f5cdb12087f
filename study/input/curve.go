package input

func (l *loader) readCurve() {}
