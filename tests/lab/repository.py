"""A repository of packages inside a lab host, beside the distribution's own: sh to make it."""

from typing import Final

# Of every file that lies in /repository.
INDEX: Final = """
cd /repository
for file in *.deb; do
    dpkg-deb --field "$file"
    printf 'Filename: ./%s\\nSize: %s\\n' "$file" "$(stat --format=%s "$file")"
    printf 'SHA256: %s\\n\\n' "$(sha256sum "$file" | cut --delimiter=' ' --fields=1)"
done >Packages
echo "deb [trusted=yes] file:/repository ./" >/etc/apt/sources.list.d/ours.list
"""
# Reads its lists, and leaves those of the distribution alone.
REFRESH: Final = """
apt-get update --option APT::Get::List-Cleanup=0 --option APT::Sandbox::User=root \\
    --option Dir::Etc::SourceList=/etc/apt/sources.list.d/ours.list --option Dir::Etc::SourceParts=-
"""
