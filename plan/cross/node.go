package cross

var nodeCommands = map[string]handler{}

func (w *walk) tool(c *command, words []string) {}
