package cross

var javaCommands = map[string]handler{}
