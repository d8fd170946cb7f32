import Accounts
import Engines
import Identity
import Metering

/// Who created a batch and how its lines are priced: all that records of them need. It travels in the batch's metadata
/// at the upstream, under a code that covers the batch's file, so that any gateway can meter the batch, also after the
/// one that created it is gone, and nobody can put his own name, or another's, on one.
struct BatchOwner: Hashable, Sendable {
    /// The request that created the batch; carries the acceptance, in billing time, that all its lines are priced at.
    let requestID: RequestID
    let accountID: AccountID
    let tenantID: TenantID
    let projectID: ProjectID
    let keyID: KeyID
    let subscriptionID: SubscriptionID
    let clockOffsetMilliseconds: Int64
    /// The form that the lines ask in.
    let surface: Surface
    /// As the client names it.
    let model: String
    let priceKey: String
    /// What the backend calls the model.
    let upstreamModel: String

    /// The member of the metadata. Clients cannot set it, and do not see it.
    static let metadataKey = "tollgate"
    /// The longest value that metadata may have, in characters (OpenAI's bound).
    static let valueBytesMax = 512
    /// Members that metadata may have (OpenAI's bound); one of them is the gateway's.
    static let metadataMembersMax = 16

    private static let version = "1"
    private static let idBytes = 16

    /// The metadata's value; nil where the names are too long for it.
    func value(file: String, on backend: String, by seal: ObjectSeal) -> String? {
        var payload: [UInt8] = []
        for id in [
            requestID.uuid, accountID.uuid, tenantID.uuid, projectID.uuid, keyID.uuid, subscriptionID.uuid,
        ] { payload += id.bytes }
        let texts = [String(clockOffsetMilliseconds), surface.rawValue, model, priceKey, upstreamModel]
        payload += texts.joined(separator: "\n").utf8
        let code = BatchOwner.code(payload, file, backend, seal)
        let value = [BatchOwner.version, Base64URL.text(of: payload), Base64URL.text(of: code)].joined(separator: ".")
        return value.utf8.count <= BatchOwner.valueBytesMax ? value : nil
    }

    /// Reads what `value` wrote; nil where it was not written by a gateway of this installation for this file.
    init?(value: String, file: String, on backend: String, by seal: ObjectSeal) {
        let parts = value.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == BatchOwner.version, let payload = Base64URL.bytes(of: parts[1]),
            let shown = Base64URL.bytes(of: parts[2]),
            ObjectSeal.areEqual(BatchOwner.code(payload, file, backend, seal), shown)
        else { return nil }
        let idsEnd = 6 * BatchOwner.idBytes
        guard payload.count > idsEnd else { return nil }
        var ids: [UUIDv7] = []
        for start in stride(from: 0, to: idsEnd, by: BatchOwner.idBytes) {
            guard let id = UUIDv7(Hexadecimal.text(of: payload[start..<start + BatchOwner.idBytes])) else { return nil }
            ids.append(id)
        }
        let texts = String(decoding: payload[idsEnd...], as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        guard texts.count == 5, let offset = Int64(texts[0]), let surface = Surface(rawValue: String(texts[1]))
        else { return nil }
        self.init(
            requestID: RequestID(ids[0]), accountID: AccountID(ids[1]), tenantID: TenantID(ids[2]),
            projectID: ProjectID(ids[3]), keyID: KeyID(ids[4]), subscriptionID: SubscriptionID(ids[5]),
            clockOffsetMilliseconds: offset, surface: surface, model: String(texts[2]), priceKey: String(texts[3]),
            upstreamModel: String(texts[4]))
    }

    init(
        requestID: RequestID, accountID: AccountID, tenantID: TenantID, projectID: ProjectID, keyID: KeyID,
        subscriptionID: SubscriptionID, clockOffsetMilliseconds: Int64, surface: Surface, model: String,
        priceKey: String, upstreamModel: String
    ) {
        self.requestID = requestID
        self.accountID = accountID
        self.tenantID = tenantID
        self.projectID = projectID
        self.keyID = keyID
        self.subscriptionID = subscriptionID
        self.clockOffsetMilliseconds = clockOffsetMilliseconds
        self.surface = surface
        self.model = model
        self.priceKey = priceKey
        self.upstreamModel = upstreamModel
    }

    private static func code(
        _ payload: [UInt8], _ file: String, _ backend: String, _ seal: ObjectSeal
    ) -> [UInt8] {
        seal.code(for: "batch", [payload, Array(file.utf8), Array(backend.utf8)])
    }
}

/// A batch as its upstream shows it.
struct UpstreamBatch {
    let place: ObjectSeal.Place
    let object: JSONObjectText
    let inputFile: String
    /// Nil for batches that no gateway of this installation created.
    let owner: BatchOwner?

    /// Nil where the document is no batch.
    init?(_ document: [UInt8], on backend: String, by seal: ObjectSeal) {
        guard let object = try? JSONObjectText(reading: document), let id = object.text("id"), !id.isEmpty else {
            return nil
        }
        self.object = object
        place = ObjectSeal.Place(backend: backend, id: id)
        inputFile = object.text("input_file_id") ?? ""
        owner = object.object("metadata")?.text(BatchOwner.metadataKey).flatMap {
            BatchOwner(value: $0, file: object.text("input_file_id") ?? "", on: backend, by: seal)
        }
    }

    var status: String { object.text("status") ?? "" }

    /// Whether nothing of it is served any more, whatever became of it.
    var hasEnded: Bool { UpstreamBatch.endings.contains(status) }

    /// OpenAI's words, and those of systems that took its API over.
    private static let endings: Set<String> = ["completed", "failed", "expired", "cancelled"]

    /// The files that its answers are in: first those that were served, then those that were not.
    var answerFiles: [String] {
        ["output_file_id", "error_file_id"].compactMap { object.text($0) }.filter { !$0.isEmpty }
    }

    /// In seconds since 1970; 0 where it does not say.
    var createdSeconds: Int64 { object.integer("created_at") ?? 0 }

    /// The document as the project's clients see it. One whose lines are not on record yet (`isSettled` false) is not
    /// at its end: until then nobody can have its answers.
    func shown(to project: ProjectID, isSettled: Bool, by seal: ObjectSeal) -> [UInt8] {
        func sealed(_ id: String, _ kind: ObjectSeal.Kind) -> [UInt8] {
            let place = ObjectSeal.Place(backend: place.backend, id: id)
            return JSONString.bytes(of: seal.sealed(place, kind, for: project))
        }
        var changes: [(key: String, value: [UInt8]?)] = [("id", sealed(place.id, .batch))]
        for key in ["input_file_id", "output_file_id", "error_file_id"] {
            if let id = object.text(key), !id.isEmpty { changes.append((key, sealed(id, .file))) }
        }
        if object.text("model") != nil, let owner { changes.append(("model", JSONString.bytes(of: owner.model))) }
        if let metadata = object.object("metadata") {
            let own = metadata.changed([(BatchOwner.metadataKey, nil)])
            // Where the client gave none, it sees none.
            changes.append(("metadata", own.count == 2 ? Array("null".utf8) : own))
        }
        if !isSettled {
            let status = status == "cancelled" ? "cancelling" : "finalizing"
            changes.append(("status", JSONString.bytes(of: status)))
            for key in ["output_file_id", "error_file_id", "completed_at", "failed_at", "expired_at", "cancelled_at"]
            where object.value(key) != nil {
                changes.removeAll { $0.key == key }
                changes.append((key, Array("null".utf8)))
            }
        }
        return object.changed(changes)
    }
}
