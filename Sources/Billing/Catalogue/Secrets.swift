public import Engines
public import Identity
public import Storage

extension ReadSession {
    public func secrets() throws -> [SecretStorage.Entry] {
        try look(.read(.secrets)) { try SecretStorage.list(in: $0) }
    }

    public func secret(_ name: String) throws -> SecretStorage.Entry {
        try look(.read(.secrets)) { try SecretStorage.require(name, in: $0) }
    }
}

extension WriteSession {
    /// Makes or replaces a secret of backends; nil keeps its hosts. Setting the same again changes nothing.
    public func setSecret(
        _ name: String, to value: String, hosts: [SecretHost]?, by keyring: SecretKeyring
    ) throws -> SecretStorage.Entry {
        try change(.secretSet) { tx in
            try CatalogueStorage.lock(in: tx)
            // One that does not read is replaced.
            let before = try UnreadableRow.reading { try SecretStorage.find(name, in: tx) }
            let after = try SecretStorage.set(name, to: value, hosts: hosts, by: keyring, now: now, in: tx)
            return .made(after, .seller(name, before: (try? before.get())?.facts, after: after.facts))
        }
    }

    /// Deletes a secret that no backend names; nil where it did not read.
    public func deleteSecret(_ name: String) throws -> SecretStorage.Entry? {
        try change(.secretDeleted) { tx in
            let deleted = try SecretStorage.delete(name, in: tx)
            return .made(deleted, .seller(name, before: deleted?.facts ?? ["name": .text(name)]))
        }
    }

    /// Encrypts everything anew under the keyring's first key.
    public func reencryptSecrets(under keyring: SecretKeyring) throws -> SecretStorage.Rotation {
        try change(.secretsReencrypted) { tx in
            let rotation = try SecretStorage.rotate(to: keyring, now: now, in: tx)
            guard rotation != SecretStorage.Rotation() else { return .nothing(rotation) }
            return .made(
                rotation,
                .seller(
                    "secrets",
                    after: [
                        "secrets": .number(Int64(rotation.secrets)), "backends": .number(Int64(rotation.backends)),
                    ]))
        }
    }
}
