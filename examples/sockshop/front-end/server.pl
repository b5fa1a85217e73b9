# Serves the page of the shop and says on which machine.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

open my $file, '<', '/pages/index.html' or die "index.html: $!\n";
my $page = do { local $/; <$file> };
my $machine = (POSIX::uname())[4];

my $server = IO::Socket::INET->new(Listen => 10, LocalPort => $ENV{PORT} || 80, ReuseAddr => 1) or die "listening: $@\n";
while (my $client = $server->accept) {
    while (<$client> // '') { last if /^\r?\n?$/ }
    print $client "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n$page<p>front-end on $machine</p>\n";
}
