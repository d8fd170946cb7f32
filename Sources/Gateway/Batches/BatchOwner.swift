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
