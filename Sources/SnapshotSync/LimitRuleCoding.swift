import Identity
import Limits

/// A limit in the snapshot's file.
extension ByteWriter {
    mutating func limit(_ rule: LimitRule) {
        id(rule.id)
        id(rule.accountID)
        text(rule.scope.name)
        integer(rule.scope.uuid.high)
        integer(rule.scope.uuid.low)
        text(rule.model ?? "")
        text(rule.kind.rawValue)
        integer(rule.value)
        integer(UInt8(rule.isShadow ? 1 : 0))
    }
}

extension ByteReader {
    mutating func limit() throws -> LimitRule {
        let id: LimitID = try id()
        let account: AccountID = try self.id()
        let name = try text()
        let uuid = UUIDv7(high: try integer(), low: try integer())
        let model = try text()
        guard let scope = LimitScope(name: name, uuid: uuid), let kind = LimitKind(rawValue: try text()) else {
            throw SnapshotPartCoding.Unreadable()
        }
        let value: Int64 = try integer()
        guard (0...LimitRule.valueMax).contains(value) else { throw SnapshotPartCoding.Unreadable() }
        return LimitRule(
            id: id, accountID: account, scope: scope, model: model.isEmpty ? nil : model, kind: kind, value: value,
            isShadow: try integer(UInt8.self) == 1)
    }
}
