INSERT INTO sock VALUES ('weave', 'knitted for a weaver', 17.15);
INSERT INTO sock VALUES ('holy', 'socks fit for a messiah', 99.99);
