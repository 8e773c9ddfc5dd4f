#!/bin/bash
# Makes the certificates and keys of this folder again. They protect nothing: they exist for the tests alone.
# Needs openssl 3, keytool (a JDK), ssh-keygen and puttygen. The password of every protected file is "test-only".
set -euo pipefail
cd "$(dirname "$0")"
rm -f ./*.pem ./*.p12 ./*.jks ./*.p7b ./*.der ./*.ppk ./*.xml ./*.jwk ./*.txt id_*
password=test-only

authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key.tmp -out authority.pem -days 36500 \
        -subj "/C=US/O=jsmql test/CN=jsmql test authority" 2>/dev/null
}
signed() { # name, subject, key options
    openssl req -new "${@:3}" -nodes -keyout "$1.key.tmp" -out "$1.csr.tmp" -subj "$2" 2>/dev/null
    openssl x509 -req -in "$1.csr.tmp" -CA authority.pem -CAkey authority.key.tmp -CAcreateserial -out "$1.crt.tmp" -days 36500 \
        -extfile <(echo "basicConstraints = CA:FALSE") 2>/dev/null
}
authority
signed client "/C=US/ST=New York/O=Acme, Inc/OU=Help desk/CN=jsmql client/emailAddress=ann@acme.example" -newkey rsa:2048
signed other "/O=Acme, Inc/CN=other client" -newkey rsa:2048
signed curve "/O=Acme, Inc/CN=curve client" -newkey ec -pkeyopt ec_paramgen_curve:P-256

# PEM: PKCS#8, PKCS#1, encrypted, elliptic curve, and a certificate with nothing else.
cat client.crt.tmp authority.pem client.key.tmp > client.pem
{ cat client.crt.tmp; openssl rsa -in client.key.tmp -traditional 2>/dev/null; } > client-pkcs1.pem
{ openssl pkcs8 -topk8 -in client.key.tmp -passout pass:$password; cat client.crt.tmp; } > client-encrypted.pem
{ openssl rsa -in client.key.tmp -traditional -aes256 -passout pass:$password 2>/dev/null; cat client.crt.tmp; } > client-traditional.pem
cat curve.crt.tmp curve.key.tmp > curve.pem
{ openssl ec -in curve.key.tmp 2>/dev/null; cat curve.crt.tmp; } > curve-sec1.pem
cp client.crt.tmp certificate.pem
openssl x509 -in client.crt.tmp -outform DER -out certificate.der
openssl pkey -in client.key.tmp -pubout -out public.pem
openssl pkey -in client.key.tmp -pubout -outform DER | base64 -w0 > public-base64.txt

# PKCS#12: as of today, as of Windows Server 2008, and with two keys.
openssl pkcs12 -export -inkey client.key.tmp -in client.crt.tmp -certfile authority.pem -name client -passout pass:$password -out client.p12
openssl pkcs12 -export -legacy -inkey client.key.tmp -in client.crt.tmp -name client -passout pass:$password -out client-legacy.p12
openssl pkcs12 -export -inkey other.key.tmp -in other.crt.tmp -name other -passout pass:$password -out other.p12.tmp
for from in other.p12.tmp client.p12; do
    for store in two.p12:PKCS12 two.jks:JKS; do
        keytool -importkeystore -noprompt -srckeystore $from -srcstoretype PKCS12 -srcstorepass $password \
            -destkeystore "${store%:*}" -deststoretype "${store#*:}" -deststorepass $password >/dev/null 2>&1
    done
done
keytool -importcert -noprompt -file authority.pem -alias authority -keystore trust.jks -storetype JKS -storepass $password >/dev/null 2>&1

# PKCS#7: certificates without keys.
openssl crl2pkcs7 -nocrl -certfile client.crt.tmp -certfile authority.pem -outform DER -out chain.p7b
openssl crl2pkcs7 -nocrl -certfile client.crt.tmp -certfile authority.pem -out chain-pem.p7b

# OpenSSH and PuTTY.
openssl rsa -in client.key.tmp -traditional -out id_rsa 2>/dev/null
chmod 600 id_rsa
ssh-keygen -q -p -N "" -P "" -f id_rsa
ssh-keygen -y -f id_rsa > id_rsa.pub
cp id_rsa id_rsa_encrypted
ssh-keygen -q -p -N $password -P "" -f id_rsa_encrypted
ssh-keygen -q -t ed25519 -N "" -C "" -f id_ed25519
echo $password > password.tmp
puttygen id_rsa -O private -o key.ppk
puttygen id_rsa -O private --ppk-param version=2 -o key-v2.ppk
puttygen id_rsa -O private --new-passphrase password.tmp --ppk-param version=2 -o key-v2-encrypted.ppk
puttygen id_rsa -O private --new-passphrase password.tmp --ppk-param memory=64,passes=1 -o key-encrypted.ppk

# .NET and JOSE.
python3 - <<'P'
import base64, json, re, subprocess
text = subprocess.run(["openssl", "rsa", "-in", "client.key.tmp", "-noout", "-text"], capture_output=True, text=True).stdout
def field(name):
    found = re.search(name + r":\n?((?:\s+[0-9a-f:]+\n)+)", text).group(1)
    return bytes.fromhex(re.sub(r"[\s:]", "", found)).lstrip(b"\0")
names = dict(Modulus="modulus", D="privateExponent", P="prime1", Q="prime2", DP="exponent1", DQ="exponent2", InverseQ="coefficient")
values = {tag: field(name) for tag, name in names.items()}
values["Exponent"] = bytes.fromhex("010001")
def xml(tags):
    return "<RSAKeyValue>" + "".join(f"<{t}>{base64.b64encode(values[t]).decode()}</{t}>" for t in tags) + "</RSAKeyValue>\n"
open("key.xml", "w").write(xml(["Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D"]))
open("public.xml", "w").write(xml(["Modulus", "Exponent"]))
url = lambda b: base64.urlsafe_b64encode(b).decode().rstrip("=")
jose = dict(kty="RSA", n="Modulus", e="Exponent", d="D", p="P", q="Q", dp="DP", dq="DQ", qi="InverseQ")
open("key.jwk", "w").write(json.dumps({k: v if k == "kty" else url(values[v]) for k, v in jose.items()}, indent=1) + "\n")
P
# What the tests compare: the public key's modulus.
openssl rsa -in client.key.tmp -noout -modulus | sed 's/Modulus=//' > modulus.txt
rm -f ./*.tmp ./*.srl
