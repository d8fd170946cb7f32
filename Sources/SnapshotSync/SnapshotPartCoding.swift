import Accounts
import Foundation
import Identity
import Storage

/// A part of the snapshot as bytes: rows of fixed width, big-endian, then plans and catalogue as JSON.
enum SnapshotPartCoding {
    /// What the bytes hold is not what was written; the checksum should have told.
    struct Unreadable: Error {}

    /// `keyring` encrypts the secret of the installation; without one it is left out.
    static func bytes(of part: SnapshotPart, sealedBy keyring: SecretKeyring? = nil) throws -> [UInt8] {
        var writer = ByteWriter()
        writer.list(part.clocks) { writer, clock in
            writer.tenant(clock.tenant)
            writer.integer(clock.offsetMilliseconds)
        }
        writer.list(part.keys) { writer, key in
            writer.id(key.id)
            writer.tenant(TenantReference(accountID: key.accountID, tenantID: key.tenantID))
            writer.id(key.projectID)
            writer.digest(key.secretDigest)
            writer.instant(key.expiresAt)
        }
        writer.list(part.removedKeys) { writer, digest in writer.digest(digest) }
        writer.list(part.replacedTenants) { writer, tenant in writer.tenant(tenant) }
        writer.list(part.subscriptions) { writer, subscription in
            writer.id(subscription.id)
            writer.tenant(subscription.tenant)
            writer.text(subscription.plan)
            writer.instant(subscription.startsAt)
            writer.instant(subscription.endsAt)
        }
        writer.list(part.limits) { writer, rule in writer.limit(rule) }
        writer.list(part.removedLimits) { writer, id in writer.id(id) }
        guard
            !part.histories.isEmpty || part.models != nil || part.secrets != nil || part.sealingSecret != nil
                || !part.goneKeys.isEmpty || part.clocks.contains(where: { !$0.clock.moves.isEmpty })
        else { return writer.bytes }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        writer.bytes += try encoder.encode(SnapshotRowsCoding(part, sealedBy: keyring))
        return writer.bytes
    }

    static func part(of bytes: UnsafeRawBufferPointer, openedBy keyring: SecretKeyring? = nil) throws -> SnapshotPart {
        var reader = ByteReader(bytes)
        var part = SnapshotPart()
        part.clocks = try reader.list { reader in
            SuppliedClock(
                tenant: try reader.tenant(), clock: TestClock(alwaysAheadByMilliseconds: try reader.integer()))
        }
        part.keys = try reader.list { reader in
            let id: KeyID = try reader.id()
            let tenant = try reader.tenant()
            return SuppliedKey(
                id: id, accountID: tenant.accountID, tenantID: tenant.tenantID, projectID: try reader.id(),
                secretDigest: try reader.digest(), expiresAt: try reader.instant())
        }
        part.removedKeys = try reader.list { reader in try reader.digest() }
        part.replacedTenants = try reader.list { reader in try reader.tenant() }
        part.subscriptions = try reader.list { reader in
            let id: SubscriptionID = try reader.id()
            let tenant = try reader.tenant()
            let plan = try reader.text()
            guard let start = try reader.instant() else { throw Unreadable() }
            return SuppliedSubscription(
                id: id, tenant: tenant, plan: plan, startsAt: start, endsAt: try reader.instant())
        }
        part.limits = try reader.list { reader in try reader.limit() }
        part.removedLimits = try reader.list { reader in try reader.id() }
        let rest = reader.rest
        if !rest.isEmpty {
            try JSONDecoder().decode(SnapshotRowsCoding.self, from: Data(rest)).add(to: &part, openedBy: keyring)
        }
        return part
    }
}

/// Appends values as bytes, numbers with their highest byte first.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func id<Kind>(_ id: TypedID<Kind>) {
        integer(id.uuid.high)
        integer(id.uuid.low)
    }

    mutating func tenant(_ tenant: TenantReference) {
        id(tenant.accountID)
        id(tenant.tenantID)
    }

    mutating func digest(_ digest: SHA256Digest) {
        integer(digest.words.0)
        integer(digest.words.1)
        integer(digest.words.2)
        integer(digest.words.3)
    }

    /// Nil is the last instant there is.
    mutating func instant(_ instant: Timestamp?) {
        integer(instant?.milliseconds ?? .max)
    }

    mutating func text(_ text: String) {
        let utf8 = Array(text.utf8)
        integer(UInt32(utf8.count))
        bytes += utf8
    }

    mutating func list<Row>(_ rows: [Row], _ write: (inout ByteWriter, Row) -> Void) {
        integer(UInt32(rows.count))
        for row in rows { write(&self, row) }
    }
}

/// Reads what `ByteWriter` wrote.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[offset...]) }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws -> Value {
        guard offset + MemoryLayout<Value>.size <= bytes.count else { throw SnapshotPartCoding.Unreadable() }
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: Value.self)
        offset += MemoryLayout<Value>.size
        return Value(bigEndian: value)
    }

    mutating func id<Kind>() throws -> TypedID<Kind> {
        let high: UInt64 = try integer()
        return TypedID(UUIDv7(high: high, low: try integer()))
    }

    mutating func tenant() throws -> TenantReference {
        let account: AccountID = try id()
        return TenantReference(accountID: account, tenantID: try id())
    }

    mutating func digest() throws -> SHA256Digest {
        let words: [UInt64] = [try integer(), try integer(), try integer(), try integer()]
        return SHA256Digest(words: (words[0], words[1], words[2], words[3]))
    }

    mutating func instant() throws -> Timestamp? {
        let milliseconds: Int64 = try integer()
        return milliseconds == .max ? nil : Timestamp(milliseconds: milliseconds)
    }

    mutating func text() throws -> String {
        let count = Int(try integer(UInt32.self))
        guard count <= bytes.count - offset else { throw SnapshotPartCoding.Unreadable() }
        let text = String(decoding: bytes[offset..<offset + count], as: UTF8.self)
        offset += count
        return text
    }

    mutating func list<Row>(_ read: (inout ByteReader) throws -> Row) throws -> [Row] {
        let count = Int(try integer(UInt32.self))
        var rows: [Row] = []
        // No row is shorter than 16 bytes, so a wrong number asks for no more memory than the file has.
        guard count <= (bytes.count - offset) / 16 else { throw SnapshotPartCoding.Unreadable() }
        rows.reserveCapacity(count)
        for _ in 0..<count { rows.append(try read(&self)) }
        return rows
    }
}
