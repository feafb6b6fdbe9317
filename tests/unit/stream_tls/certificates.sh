#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes the certificates of the TLS tests with the openssl program.
#
#   certificates.sh FOLDER
#
# Keys are KEY.key, certificates NAME.pem.  All are valid from now on for ten years; tests
# that want an expired one move their clock.
set -eu
mkdir -p "$1"
cd "$1"

key() { # NAME ALGORITHM
	[ -s "$1.key" ] && return
	case $2 in
	rsa*) openssl genrsa -traditional -out "$1.key" "${2#rsa}" 2>/dev/null ;;
	ed25519) openssl genpkey -algorithm "$2" -out "$1.key" ;;
	*) openssl ecparam -genkey -noout -name "$2" -out "$1.key" ;;
	esac
}

# certificate NAME KEY SUBJECT ISSUER-NAME ISSUER-KEY EXTENSIONS: ISSUER-NAME "-" is itself.
# DAYS, HASH and HOW (options of the signature) are its.
certificate() {
	openssl req -new -key "$2.key" -subj "$3" -out "$1.csr"
	printf '%b' "$6" >"$1.ext"
	if [ "$4" = - ]; then
		openssl x509 -req -in "$1.csr" -signkey "$2.key" -days 3650 -sha256 \
			-extfile "$1.ext" -out "$1.pem" 2>/dev/null
	else
		openssl x509 -req -in "$1.csr" -CA "$4.pem" -CAkey "$5.key" -set_serial "0x$(openssl rand -hex 8)" \
			-days "${DAYS:-3000}" "-${HASH:-sha256}" ${HOW:-} -extfile "$1.ext" -out "$1.pem" 2>/dev/null
	fi
	rm "$1.csr" "$1.ext"
}

CA='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
SIGNED='authorityKeyIdentifier=keyid\n'
SERVER='keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n'
SAN='subjectAltName=DNS:a.example,DNS:*.w.example,IP:192.0.2.1,IP:2001:db8::1\n'

key big rsa4096
key rsa rsa2048
key p256 prime256v1
key p384 secp384r1
key middle prime256v1
key other prime256v1
key cross rsa2048
key short rsa512
key huge rsa4608
key edwards ed25519

# A root of 4096 bits, an authority below it, and servers below that.
certificate root big '/O=Big Roots/CN=Big Root' - - "$CA"
certificate middle middle '/O=Big Roots/CN=Middle 1' root big "$CA$SIGNED"
certificate server p256 '/CN=a.example' middle middle "$SERVER$SIGNED$SAN"
certificate server-rsa rsa '/CN=a.example' middle middle "$SERVER$SIGNED$SAN"
certificate server-big big '/CN=a.example' middle middle "$SERVER$SIGNED$SAN"
certificate server-p384 p384 '/CN=a.example' middle middle "$SERVER$SIGNED$SAN"
certificate unnamed p256 '/CN=a.example' middle middle "$SERVER$SIGNED"
certificate client-only p256 '/CN=a.example' middle middle \
	"keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n$SIGNED$SAN"
DAYS=30 certificate brief-middle middle '/O=Big Roots/CN=Brief' root big "$CA$SIGNED"
certificate under-brief p256 '/CN=a.example' brief-middle middle "$SERVER$SIGNED$SAN"

# The big root, signed by an older one.
certificate old-root cross '/O=Old Roots/CN=Old Root' - - "$CA"
certificate crossed big '/O=Big Roots/CN=Big Root' old-root cross "$CA$SIGNED"

# A chain of P-384 alone, and one whose authority is not one.
certificate root-p384 p384 '/CN=P-384 Root' - - "$CA"
certificate under-p384 p384 '/CN=a.example' root-p384 p384 "$SERVER$SIGNED$SAN"
certificate no-authority other '/CN=Nobody' root big "basicConstraints=critical,CA:FALSE\n$SIGNED"
certificate under-nobody p256 '/CN=a.example' no-authority other "$SERVER$SIGNED$SAN"

# One with the name of the authority, and not its key.
certificate false-middle other '/O=Big Roots/CN=Middle 1' - - "$CA"
certificate under-false p256 '/CN=a.example' false-middle other "$SERVER$SAN"

# Ways and keys that are refused, of the server and of an authority above it.
HASH=sha1 certificate by-sha1 p256 '/CN=a.example' middle middle "$SERVER$SIGNED$SAN"
HOW='-sigopt rsa_padding_mode:pss' certificate by-pss p256 '/CN=a.example' root big "$SERVER$SIGNED$SAN"
certificate edwards-ca edwards '/CN=Edwards' root big "$CA$SIGNED"
certificate by-edwards p256 '/CN=a.example' edwards-ca edwards "$SERVER$SIGNED$SAN"
certificate of-edwards edwards '/CN=a.example' middle middle "$SERVER$SIGNED$SAN"
certificate huge-ca huge '/CN=Huge' root big "$CA$SIGNED"
certificate by-huge p256 '/CN=a.example' huge-ca huge "$SERVER$SIGNED$SAN"
certificate of-short short '/CN=a.example' middle middle "$SERVER$SIGNED$SAN"

# Authorities that may not do what they do, and servers that ask for more than we know.
certificate last-ca other '/CN=Last' root big "basicConstraints=critical,CA:TRUE,pathlen:0\n$SIGNED"
certificate behind-last middle '/CN=Behind' last-ca other "$CA$SIGNED"
certificate too-deep p256 '/CN=a.example' behind-last middle "$SERVER$SIGNED$SAN"
certificate no-signer other '/CN=No Signer' root big \
	"basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n$SIGNED"
certificate under-no-signer p256 '/CN=a.example' no-signer other "$SERVER$SIGNED$SAN"
certificate conditional p256 '/CN=a.example' middle middle "1.2.3.4=critical,DER:0500\n$SERVER$SIGNED$SAN"
certificate signs-only p256 '/CN=a.example' middle middle "keyUsage=critical,keyCertSign\n$SIGNED$SAN"
certificate muddled p256 '/CN=a.example' middle middle "2.5.29.15=critical,DER:0500\n$SIGNED$SAN"

# DER of no certificate, and a certificate whose names are none.
printf '%s\n' '-----BEGIN CERTIFICATE-----' 'MAMCAQE=' '-----END CERTIFICATE-----' >garbage.pem
certificate no-list p256 '/CN=a.example' middle middle "2.5.29.17=DER:0500\n$SERVER$SIGNED"

# Nearly as long as one may be.
certificate long p256 '/CN=a.example' middle middle "nsComment=$(printf '%015000d' 0)\n$SIGNED$SAN"

# Alone.
certificate alone p256 '/O=Home/CN=alone.example' - - 'subjectAltName=DNS:alone.example,IP:192.0.2.7\n'
certificate stranger other '/CN=Stranger' - - "$CA"
