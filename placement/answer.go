package placement

// answer is what a condition says of a node. Of a node that stands for many, not everything is known.
type answer int

const (
	no answer = iota
	unknown
	yes
)

func is(truth bool) answer {
	if truth {
		return yes
	}
	return no
}

// negated is the answer to the opposite question.
func (a answer) negated() answer { return yes - a }

// scope is how much of a node conditions may look at.
type scope bool

const (
	// everything that is known of it.
	everything scope = false
	// kindOnly is its system and architecture. Labels come and go, a machine stays what it is: what a
	// service has to say of architectures must not depend on the labels of today.
	kindOnly scope = true
)
