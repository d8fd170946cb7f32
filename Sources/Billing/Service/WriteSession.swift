import Accounts
public import Identity
public import Storage

/// A transaction of one actor, who may change what its permissions say.
///
/// A use case gets to the database through `change` alone: it cannot write without a permission, an audit entry and an
/// event. Entries and events are written when the session ends, so that the heads of their chains are locked last and
/// in one order.
public final class WriteSession: ReadSession {
    private struct Pending {
        let kind: ChangeKind
        let trace: Trace
        let reason: String
    }

    private var pending: [Pending] = []

    /// The longest reason, in characters.
    public static let reasonLengthMax = 1000

    /// Refuses words that say nothing, for what needs a reason of its own.
    public static func requireReason(_ reason: String, parameter: String = "reason") throws(StorageError) {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw .invalid(parameter: parameter, message: "say why: it stays on record")
        }
        try requireLength(of: reason, parameter: parameter)
    }

    static func requireLength(of reason: String, parameter: String) throws(StorageError) {
        guard reason.unicodeScalars.count <= reasonLengthMax else {
            throw .invalid(parameter: parameter, message: "it has at most \(reasonLengthMax) characters")
        }
    }

    /// The one way of a use case to what it changes. What leaves everything as it was leaves no trace.
    public func change<Value>(
        _ kind: ChangeKind, reason: String? = nil, _ body: (DatabaseTransaction) throws -> Change<Value>
    ) throws -> Value {
        try actor.require(kind.permission)
        switch try withTransaction(body) {
        case .nothing(let value): return value
        case .made(let value, let trace):
            assert(trace.before != nil || trace.after != nil, "a change of nothing")
            if !Facts.areSame(trace.before, trace.after) {
                pending.append(Pending(kind: kind, trace: trace, reason: reason ?? actor.reason))
            }
            return value
        }
    }

    /// Writes the audit entries and the events.
    func finish() throws {
        try withTransaction { tx in
            var heads: [AuditChain: AuditHead] = [:]
            for chain in Set(pending.map(\.trace.chain)).sorted() {
                heads[chain] = try AuditStorage.lockHead(of: chain, in: tx)
            }
            for change in pending {
                let trace = change.trace
                let entry = AuditEntry(
                    id: Randomness.id(at: now), chain: trace.chain, after: heads[trace.chain] ?? .none,
                    recordedAt: now, action: change.kind.rawValue, subject: trace.subject,
                    principal: actor.principal, before: trace.before?.json, after: trace.after?.json,
                    reason: change.reason)
                heads[trace.chain] = entry.head
                try AuditStorage.append(entry, in: tx)
                try OutboxStorage.insert(
                    OutboxEvent(
                        id: Randomness.id(at: now), chain: trace.chain, number: entry.number,
                        name: change.kind.rawValue, occurredAt: now,
                        payload: (trace.after ?? trace.before ?? Facts()).json), in: tx)
            }
            pending = []
        }
    }
}

/// What a use case did.
public enum Change<Value> {
    case made(Value, Trace)
    /// Everything was so already.
    case nothing(Value)
}

/// What a change leaves behind.
public struct Trace {
    let chain: AuditChain
    /// An id or a name.
    let subject: String
    /// Nil where the subject is new.
    let before: Facts?
    /// Nil where it is gone.
    let after: Facts?

    private init(
        _ chain: AuditChain, _ subject: some CustomStringConvertible, before: Facts? = nil, after: Facts? = nil
    ) {
        self.chain = chain
        self.subject = subject.description
        self.before = before
        self.after = after
    }

    public static func account(
        _ id: AccountID, _ subject: some CustomStringConvertible, before: Facts? = nil, after: Facts? = nil
    ) -> Trace {
        Trace(.account(id), subject, before: before, after: after)
    }

    public static func seller(
        _ subject: some CustomStringConvertible, before: Facts? = nil, after: Facts? = nil
    ) -> Trace {
        Trace(.seller, subject, before: before, after: after)
    }
}

// MARK: - Repeated calls

/// A call that may be repeated without doing anything twice.
public struct IdempotentCall: Hashable, Sendable {
    public let adminKey: AdminKeyID
    /// The caller's own choice.
    public let key: String
    public let methodAndPath: String
    /// Of everything that makes the call what it is.
    public let digest: SHA256Digest

    public init(adminKey: AdminKeyID, key: String, methodAndPath: String, digest: SHA256Digest) {
        self.adminKey = adminKey
        self.key = key
        self.methodAndPath = methodAndPath
        self.digest = digest
    }
}

extension WriteSession {
    /// Claims the call's key; the answer is kept in the same transaction as what it did.
    public func begin(_ call: IdempotentCall) throws -> IdempotencyStorage.Beginning {
        try withTransaction { tx in
            try IdempotencyStorage.begin(
                adminKey: call.adminKey, key: call.key, methodAndPath: call.methodAndPath, requestDigest: call.digest,
                now: now, in: tx)
        }
    }

    /// Keeps the answer.
    public func finish(_ call: IdempotentCall, status: Int, body: String) throws {
        try withTransaction { tx in
            try IdempotencyStorage.finish(adminKey: call.adminKey, key: call.key, status: status, body: body, in: tx)
        }
    }

    /// Frees the key: the work failed and changed nothing.
    public func abandon(_ call: IdempotentCall) throws {
        try withTransaction { tx in
            try IdempotencyStorage.abandon(adminKey: call.adminKey, key: call.key, in: tx)
        }
    }
}
