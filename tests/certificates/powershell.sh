#!/bin/sh
# Stands in for PowerShell: answers as its script in src/certificate/system.rs does, by the name of the store.
cd "$(dirname "$0")" || exit 9
complain() { echo "$1" >&2; exit 9; }
[ "$CERTIFICATE_EXPORT_PASSWORD" = test-only ] || complain "no password"
case "$*" in *test-only* | *"$CERTIFICATE_EXPORT_STORE;"*) complain "on the argument list" ;; esac
store="$CERTIFICATE_EXPORT_LOCATION/$CERTIFICATE_EXPORT_STORE"
base64_of() { base64 | tr -d '\n'; }
pfx() { echo "pfx $(base64_of < "$1")"; }
# PEM is base64 already.
sealed() { echo "sealed $(grep -v -e ----- "$1" | tr -d '\n') $(printf 'Key not valid for use in specified state.\r\n' | base64_of)"; }
case "$store" in
CurrentUser/MY) sealed authority.pem; pfx client.p12; pfx two.p12 ;;
CurrentUser/Legacy) pfx client-legacy.p12 ;;
LocalMachine/MY) pfx two.p12 ;;
LocalMachine/Sealed) sealed certificate.pem ;;
CurrentUser/Empty) ;;
CurrentUser/Absent) echo "failed $(printf 'Es wurde kein Speicher gefunden: grün.' | base64_of)"; exit 1 ;;
CurrentUser/Denied) echo "access is denied" >&2; echo "further words" >&2; exit 5 ;;
CurrentUser/Broken) pfx client.p12; exit 3 ;;
CurrentUser/Words) echo "Windows PowerShell" ;;
CurrentUser/Digits) echo "pfx %%%" ;;
CurrentUser/Bytes) printf '\377\376' ;;
CurrentUser/Certificate) pfx certificate.der ;;
CurrentUser/Hangs) exec sleep 30 ;;
CurrentUser/Mute) exec sleep 30 >&- 2>&- ;;
*) complain "no store $store" ;;
esac
