# The addresses that two parsers in Perl show. Stdin: a JSON list of texts. Stdout: by parser, a list of addresses for
# each.
use strict;
use warnings;
use JSON::PP;
use Mail::Address;
use Email::Address::XS;

my $json  = JSON::PP->new->utf8;
my $texts = $json->decode( do { local $/; <STDIN> } );
my ( @mail, @dovecot );
for my $text (@$texts) {
    push @mail,    [ map { $_->address // () } eval { Mail::Address->parse($text) } ];
    # Dovecot's own parser; what it finds invalid has no address
    push @dovecot, [ map { $_->address // () } eval { Email::Address::XS->parse($text) } ];
}
print $json->encode( { 'Mail::Address' => \@mail, 'Email::Address::XS (Dovecot)' => \@dovecot } );
