import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing
import Storage
import Testing

@testable import SnapshotSync

@Suite struct SnapshotPriceTests {
    private func copied(_ part: SnapshotPart) throws -> SnapshotPart {
        try SnapshotPartCoding.bytes(of: part).withUnsafeBytes { try SnapshotPartCoding.part(of: $0) }
    }

    private func part(_ version: PlanVersion) throws -> SnapshotPart {
        var part = SnapshotPart()
        part.histories = [version.planID: try PlanHistory(published: [version])]
        return part
    }

    @Test(arguments: [0, 1, 123_457, Int64.max])
    func `a gateway's copy keeps the prices that were published, whatever the document would give`(
        picounits: Int64
    ) throws {
        let document = try PlanDocument(yaml: Fixture.planText())
        let price = PriceModel.perUnit(PerUnitPrice(unitPrice: try UnitPrice(picounits: picounits)))
        let rows = try PlanVersion(document: document).prices.map { row in
            EffectivePrice(
                planID: row.planID, version: row.version, priceKey: row.priceKey, tier: row.tier, meter: row.meter,
                model: row.meter == .inputTokens ? price : row.model)
        }
        let read = try copied(part(PlanVersion(document: document, published: rows)))
        let version = try #require(read.histories[document.plan]?.versions.first)
        #expect(version.prices == rows && version.document == document)
    }

    @Test func `what the document gives is not written a second time`() throws {
        let version = try PlanVersion(yaml: Fixture.planText())
        let part = try part(version)
        #expect(SnapshotRowsCoding(part).prices?.isEmpty == true)
        #expect(try copied(part).histories[version.planID]?.versions.first?.prices == version.prices)
    }
}
