package input

func (l *loader) readBacktest() {}
