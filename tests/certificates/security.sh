#!/bin/sh
# Stands in for macOS's security: reads its commands from standard input, and answers by the keychain.
cd "$(dirname "$0")" || exit 9
[ "$*" = "-q -i" ] || { echo "arguments: $*" >&2; exit 9; }
end='-t identities -f pkcs12 -P test-only'
status=0
while IFS= read -r line; do
    status=0
    case "$line" in
    "export -k \"login.keychain\" $end") cat client-legacy.p12 ;;
    "export -k \"/Library/Keychains/System.keychain\" $end") cat two.p12 ;;
    "export -k \"/Library/Keychains/Other.keychain\" $end") cat client.p12 ;;
    "export -k \"/tmp/it's \\\"mine\\\" \\\\ \$HOME.keychain-db\" $end") cat two.p12 ;;
    "export -k \"empty.keychain\" $end") ;;
    "export -k \"garbage.keychain\" $end") echo garbage ;;
    *) echo "security: SecKeychainItemExport: User canceled the operation." >&2; status=1 ;;
    esac
done
exit $status
