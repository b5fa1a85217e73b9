package cross

var siteCommands = map[string]handler{}
