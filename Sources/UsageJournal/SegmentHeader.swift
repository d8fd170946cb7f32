import Identity

/// The first 64 bytes of a segment: whose it is, which one, and from where recovery has to read.
struct SegmentHeader: Equatable {
    var journalID: JournalID
    var epoch: Int64
    var number: Int64
    /// The oldest segment that may hold the open record of a request still running when this segment began.
    var recoverFrom: Int64
    /// Real time when the segment began, in milliseconds since 1970.
    var createdMilliseconds: Int64

    static let bytes = 64
    static let version: UInt32 = 1
    private static let magic: [UInt8] = Array("TOLLGATE".utf8)

    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: SegmentHeader.bytes)
        for byte in SegmentHeader.magic { writer.byte(byte) }
        writer.fixed(SegmentHeader.version)
        writer.id(journalID)
        for value in [epoch, number, recoverFrom, createdMilliseconds] { writer.fixed(UInt64(bitPattern: value)) }
        var crc = CRC32C()
        crc.update(writer.bytes)
        writer.fixed(crc.value)
        return writer.bytes
    }

    init(journalID: JournalID, epoch: Int64, number: Int64, recoverFrom: Int64, createdMilliseconds: Int64) {
        self.journalID = journalID
        self.epoch = epoch
        self.number = number
        self.recoverFrom = recoverFrom
        self.createdMilliseconds = createdMilliseconds
    }

    /// Reads a header; nil when it is damaged or too short. Throws when it is whole and of a newer version.
    init?(_ bytes: [UInt8]) throws(JournalError) {
        guard bytes.count == SegmentHeader.bytes, Array(bytes[..<8]) == SegmentHeader.magic else { return nil }
        var crc = CRC32C()
        crc.update(Array(bytes[..<60]))
        var reader = ByteReader(Array(bytes[8...]))
        do {
            let version = try reader.fixed32()
            let id: JournalID = try reader.id()
            let numbers = [
                try reader.fixed64(), try reader.fixed64(), try reader.fixed64(), try reader.fixed64(),
            ].map { Int64(bitPattern: $0) }
            guard try reader.fixed32() == crc.value else { return nil }
            guard version <= SegmentHeader.version else {
                throw JournalError.unsupportedVersion("segment format \(version); known is \(SegmentHeader.version)")
            }
            self.init(
                journalID: id, epoch: numbers[0], number: numbers[1], recoverFrom: numbers[2],
                createdMilliseconds: numbers[3])
        } catch let error as JournalError {
            throw error
        } catch {
            return nil
        }
    }
}
