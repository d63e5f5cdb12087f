package reconcile

// State is what must survive a restart: what each device was told and when, who is in
// quarantine, who sleeps by a person's hand, what was started lately. It is serialised as
// JSON. The zero State knows nothing and is ready for use.
type State struct{}

// Step looks at everything once and says what to tell whom. It does not block.
func (s *State) Step(in Input) Output { return Output{} }
