//! The board: clock, heap, scheduler, and pins.

// defmt needs the logger of this crate.
#[cfg(feature = "defmt")]
use esp_println as _;

use embassy_time::Timer;
use esp_hal::clock::CpuClock;
use esp_hal::efuse::{InterfaceMacAddress, interface_mac_address};
use esp_hal::gpio::{Input, InputConfig, Level, Output, OutputConfig, Pull};
use esp_hal::peripherals::{ADC1, FLASH, FROM_CPU_INTR1, HMAC, RNG, SHA, WIFI};
use esp_hal::ram;
use esp_hal::rtc_cntl::{Rtc, Rwdt, RwdtStage};
use esp_hal::time::Duration;
use esp_hal::timer::timg::TimerGroup;

/// The parts of the board that the program uses.
pub struct Board {
    /// The button marked BOOT: GPIO9, to ground, on the development boards of both chips.
    pub button: Input<'static>,
    /// GPIO10: free on these boards, for a plain LED with a resistor, to ground.
    pub lamp: Output<'static>,
    /// The radio.
    pub wifi: WIFI<'static>,
    /// The flash that contains the program.
    pub flash: FLASH<'static>,
    /// An interrupt that a program can raise.
    pub interrupt: FROM_CPU_INTR1<'static>,
    /// The watchdog, which is running.
    pub watchdog: Watchdog,
    /// For encrypted settings.
    pub crypto: Crypto,
}

/// The peripherals that derive keys and draw random numbers.
pub struct Crypto {
    /// Computes HMACs with a key in the eFuses.
    pub hmac: HMAC<'static>,
    /// What `hmac` needs to compute.
    pub sha: SHA<'static>,
    /// The random number generator.
    pub rng: RNG<'static>,
    /// The source of noise for `rng` while the radio is off.
    pub adc: ADC1<'static>,
}

/// Restarts the chip unless it is fed. So a program that returns from `main`, or blocks, starts
/// again. After a panic, the panic handler itself restarts the chip.
pub struct Watchdog(Rwdt);

/// How long the program may block. Much longer than the library needs to generate its key, or an
/// erase of the flash takes.
const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(30);
const WATCHDOG_FEED_INTERVAL_S: u64 = 5;

impl Watchdog {
    fn start(mut timer: Rwdt) -> Self {
        timer.set_timeout(RwdtStage::Stage0, WATCHDOG_TIMEOUT);
        timer.enable(); // stage 0 resets the system
        timer.feed();
        Self(timer)
    }

    /// Feeds the watchdog forever. Run it in the task that must not block.
    pub async fn feed(mut self) -> ! {
        loop {
            self.0.feed();
            Timer::after_secs(WATCHDOG_FEED_INTERVAL_S).await;
        }
    }
}

/// Initializes the board. Call it only once.
pub fn start() -> Board {
    #[cfg(all(feature = "log", not(feature = "defmt")))]
    esp_println::logger::init_logger(log::LevelFilter::Info);
    let peripherals = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // First, because esp-hal has just disabled all watchdogs.
    let watchdog = Watchdog::start(Rtc::new(peripherals.RTC_TIMER).rwdt);
    // Only the radio's library uses the heap. The first part is memory that the boot loader used.
    esp_alloc::heap_allocator!(#[ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    esp_rtos::start(TimerGroup::new(peripherals.TIMG0).timer0, peripherals.FROM_CPU_INTR0);
    Board {
        button: Input::new(peripherals.GPIO9, InputConfig::default().with_pull(Pull::Up)),
        lamp: Output::new(peripherals.GPIO10, Level::Low, OutputConfig::default()),
        wifi: peripherals.WIFI,
        flash: peripherals.FLASH,
        interrupt: peripherals.FROM_CPU_INTR1,
        watchdog,
        crypto: Crypto {
            hmac: peripherals.HMAC,
            sha: peripherals.SHA,
            rng: peripherals.RNG,
            adc: peripherals.ADC1,
        },
    }
}

/// Returns the MAC address of the station.
pub fn mac_address() -> [u8; 6] {
    let address = interface_mac_address(InterfaceMacAddress::Station);
    // A MAC address always has six bytes.
    address.as_bytes().try_into().unwrap_or_default()
}
