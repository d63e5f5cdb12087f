package input

func (l *loader) bounded() bool { return true }
func (l *loader) check()        {}
